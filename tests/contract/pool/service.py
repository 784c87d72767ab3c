import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

TOKEN = "a-token-for-tests"  # noqa: S105 - opens nothing but the test's own pool
VERSION = "2025-10-02-preview"


@dataclass(frozen=True)
class Service:
    """A client of one pool that does no more than the test says."""

    endpoint: str
    http: aiohttp.ClientSession

    async def call(
        self,
        method: str,
        path: str,
        *,
        version: str = VERSION,
        identifier: str | None = None,
        **options: Any,  # noqa: ANN401 - what aiohttp takes
    ) -> tuple[int, Any]:
        query = {"api-version": version} | ({"identifier": identifier} if identifier else {})
        async with self.http.request(method, f"{self.endpoint}{path}", params=query, **options) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.read()

    async def execute(self, code: str, identifier: str = "test", **fields: object) -> dict[str, Any]:
        sent = json.dumps({"code": code, **fields}).encode()
        status, body = await self.call("POST", "/executions", identifier=identifier, data=io.BytesIO(sent))
        assert status == 200, body
        return {"status": body["status"], **body["result"]}

    async def upload(self, name: str, content: bytes, identifier: str = "test") -> tuple[int, Any]:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("file", io.BytesIO(content), filename=name)
        return await self.call("POST", "/files", identifier=identifier, data=form)

    async def allocated(self) -> list[str]:
        _, body = await self.call("GET", "/listSessions")
        return [session["identifier"] for session in body["sessions"]]


StartPool = Callable[..., Awaitable[Service]]
