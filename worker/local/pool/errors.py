"""Errors that the service answers with, in the shapes of the real one."""

import json
from typing import Any

from aiohttp import web


class ServiceError(Exception):
    """An answer other than success: HTTP status, code and message.

    `bare` leaves out the `error` wrapper, as the real service does for a full pool.
    """

    def __init__(self, status: int, code: str, message: str, *, bare: bool = False) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.bare = status, code, message, bare

    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.bare:
            return error
        return {"error": error | {"target": None, "details": None, "traceId": None}}


def failure(error: ServiceError) -> web.Response:
    """Return the answer for an error."""
    headers = {"x-ms-error-code": error.code}
    return web.json_response(error.body(), status=error.status, headers=headers, dumps=json.dumps)


class KernelDiedError(Exception):
    """The kernel of a session ended; the text is what an execution reports about it."""


class StartError(Exception):
    """A session, or the pool itself, cannot start here; the text says what is missing."""
