"""A session pool that runs nothing: it waits as long as the program's text says and answers like a real one.

The API is the session pool's, as far as small jobs use it: executions, session, listSessions, a bound on the
sessions, the bearer check. A program that contains ``wait 1.5`` takes 1.5 s; others take no time.
As a process, ``python -m tests.bench.simulated_pool MAX_SESSIONS [ALLOCATE_SECONDS]`` prints one JSON line
with its endpoint and token and runs until its stdin closes. ``GET /stats`` tells what it has seen,
``DELETE /stats`` begins anew.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
import time
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tests.bench.http_server import Request, Response, Server, json_response, serve_until_stdin_closes

if TYPE_CHECKING:
    from collections.abc import Awaitable

TOKEN = "simulated-pool"  # noqa: S105 - it guards nothing
_WAIT = re.compile(rb"wait (\d+(?:\.\d+)?)")
_EMPTY = {"size": 0, "truncated": False, "inline": ""}
_RUN = {"ended_by": "exit", "exit_code": 0, "signal": None, "stdout": _EMPTY, "stderr": _EMPTY}


@dataclass
class Stats:
    """What the pool has seen; times are on the machine's monotonic clock."""

    executions: int = 0
    execution_seconds: float = 0.0
    first_begin: float | None = None
    last_end: float | None = None
    peak_sessions: int = 0
    refused: int = 0


@dataclass
class SimulatedPool:
    """Sessions by identifier; serves as the handler of a ``Server``."""

    max_sessions: int
    allocate_seconds: float = 0.0
    stats: Stats = field(default_factory=Stats)
    sessions: dict[str, float] = field(default_factory=dict)

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        if request.path == "/stats":
            return self._report(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Response(401)
        identifier = request.query.get("identifier", "")
        match request.method, request.path:
            case "POST", "/executions":
                return self._execute(identifier, json.loads(request.body))
            case "DELETE", "/session":
                return self._release(identifier)
            case "GET", "/listSessions":
                return json_response({"sessions": [{"identifier": name} for name in self.sessions]})
        return json_response({"code": "NotFound", "message": "no such route"}, 404)

    def _report(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.stats = Stats()
        return json_response(asdict(self.stats))

    def _execute(self, identifier: str, body: dict[str, Any]) -> Response | Awaitable[Response]:
        if identifier not in self.sessions and len(self.sessions) >= self.max_sessions:
            self.stats.refused += 1
            return json_response({"code": "SessionsCountExceedsLimit", "message": "the pool is full"}, 429)
        allocating = 0.0 if identifier in self.sessions else self.allocate_seconds
        self.sessions[identifier] = time.monotonic()
        self.stats.peak_sessions = max(self.stats.peak_sessions, len(self.sessions))
        seconds, answer = _run(body["code"])
        return self._answer_after(allocating, seconds, answer)

    async def _answer_after(self, allocating: float, seconds: float, stdout: str) -> Response:
        self.stats.first_begin = self.stats.first_begin or time.monotonic()
        if allocating:
            await asyncio.sleep(allocating)
        await asyncio.sleep(seconds)
        self.stats.last_end = time.monotonic()
        self.stats.executions += 1
        self.stats.execution_seconds += seconds
        result = {"stdout": stdout, "stderr": "", "executionTimeInMilliseconds": round(seconds * 1000)}
        return json_response({"executionType": "Synchronous", "status": "Succeeded", "result": result})

    def _release(self, identifier: str) -> Response:
        if self.sessions.pop(identifier, None) is None:
            return json_response({"code": "NoSessionFoundError", "message": "no such session"}, 404)
        return Response(204)


def _run(code: str) -> tuple[float, str]:
    """How long the code takes, and what it prints: the runner's frame when it is the runner's script."""
    _, found, call = code.rpartition("(JSON.parse(")
    if not found:
        return _seconds(code.encode()), ""
    spec = json.loads(json.loads(call.removesuffix("));")))
    seconds = _seconds(base64.b64decode(spec["code"]["inline"]))
    run = _RUN | {"duration_ms": round(seconds * 1000)}
    payload = json.dumps({"node": "v20.18.0", "runs": [run] * len(spec["runs"])})
    nonce = spec["nonce"]
    return seconds, f"<jsw:{nonce}:{len(payload)}:{zlib.crc32(payload.encode())}>{payload}</jsw:{nonce}>"


def _seconds(program: bytes) -> float:
    found = _WAIT.search(program)
    return float(found[1]) if found else 0.0


async def _main() -> None:
    allocate_seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    async with Server(SimulatedPool(int(sys.argv[1]), allocate_seconds)) as server:
        await serve_until_stdin_closes({"endpoint": server.url, "token": TOKEN})


if __name__ == "__main__":
    asyncio.run(_main())
