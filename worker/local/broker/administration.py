"""Service Bus's management API over HTTP, as the SDK's administration client calls it; it only reads.

Azure serves it on the host of the namespace by HTTPS; here it has a port of its own, by HTTP, as in the
development emulator.
"""

import asyncio
import email.utils
import time
from typing import Final

from aiohttp import web

from worker.local.broker.atom import error_document
from worker.local.broker.auth import TokenCheck, TokenRefusedError
from worker.local.broker.catalogue import NotInCatalogueError, document
from worker.local.broker.entities import Entities
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches

_HOST: Final = "127.0.0.1"
_HANG_LOOK_SECONDS: Final = 0.05
_CLAIMS: Final = "Manage,EntityRead claims are required to perform this operation."


class Administration:
    """The API on a port of its own; from `open` to `close`."""

    def __init__(self, entities: Entities, tokens: TokenCheck, faults: Switches[BrokerFaults]) -> None:
        self._entities, self._tokens, self._faults = entities, tokens, faults
        self._runner = web.ServerRunner(web.Server(self._answer), access_log=None, shutdown_timeout=0.1)
        self.port = 0

    async def open(self, port: int) -> None:
        """Answer on 127.0.0.1; port 0 lets the system choose one."""
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, port, reuse_address=True).start()
        self.port = int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Answer no more."""
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(self._faults.now.latency_seconds)
        while self._faults.now.hang:  # noqa: ASYNC110 - a file has the switch: nothing signals its turning
            await asyncio.sleep(_HANG_LOOK_SECONDS)
        status, body = self._document(request)
        clock = time.time() + self._faults.now.clock_skew_seconds
        headers = {
            "Content-Type": "application/atom+xml;type=entry;charset=utf-8",
            "Date": email.utils.formatdate(clock, usegmt=True),
        }
        return web.Response(status=status, body=body, headers=headers)

    def _document(self, request: web.BaseRequest) -> tuple[int, bytes]:
        try:
            self._tokens.grant(_token(request), request.path)
            if self._faults.now.refuse_manage:
                raise TokenRefusedError("the token has no Manage claim")  # noqa: TRY301 - as the one above does
            if request.method != "GET":
                return _error(405, "entities are declared in the broker's file: its API reads, nothing more")
            return 200, document(self._entities, request.path, request.query, f"http://{request.host}")
        except TokenRefusedError as error:
            return _error(401, f"{error}. {_CLAIMS}")
        except NotInCatalogueError as error:
            return _error(404, str(error))
        except ValueError as error:
            return _error(400, str(error))


def _token(request: web.BaseRequest) -> str:
    """The SDK sends a shared access token by itself, and one of Entra as a bearer's."""
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def _error(status: int, detail: str) -> tuple[int, bytes]:
    return status, error_document(status, detail)
