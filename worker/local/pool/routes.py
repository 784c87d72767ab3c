"""The data plane's operations on executions and sessions."""

import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from worker.local.faults import PoolFaults
from worker.local.pool.errors import ServiceError
from worker.local.pool.mishaps import half
from worker.local.pool.registry import Lease
from worker.local.pool.requests import (
    FLAT_VERSIONS,
    SESSION_VERSIONS,
    WRAPPED_VERSION,
    ExecutionRequest,
    checked_identifier,
    parse_execution,
)
from worker.local.pool.session import RESTARTED, Outcome, Session
from worker.local.pool.sessions import Allocation, Sessions
from worker.local.switches import Switches

LONGEST_LIFE_SECONDS = 0.05
PREFIX = "/subscriptions/local/resourceGroups/local/sessionPools/local"


def require_version(request: web.Request, versions: tuple[str, ...]) -> str:
    """Return the request's API version.

    Raises:
        ServiceError: this operation does not exist in it (404).
    """
    version = request.query["api-version"]
    if version not in versions:
        raise ServiceError(
            404, "OperationNotFound", f"The operation does not exist in api-version {version}."
        )
    return version


class SessionRoutes:
    """Handlers for executions, sessions and metadata."""

    def __init__(self, sessions: Sessions, faults: Switches[PoolFaults], metadata: dict[str, Any]) -> None:
        self._sessions, self._faults, self._metadata = sessions, faults, metadata

    def table(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post(f"{PREFIX}/executions", self.execute),
            web.post(f"{PREFIX}/code/execute", self.execute_wrapped),
            web.get(f"{PREFIX}/session", self.show, allow_head=False),
            web.delete(f"{PREFIX}/session", self.release),
            web.get(f"{PREFIX}/listSessions", self.list, allow_head=False),
            web.get(f"{PREFIX}/metadata", self.metadata, allow_head=False),
        ]

    async def execute(self, request: web.Request) -> web.StreamResponse:
        """Run code; flat unless the pool wants the old shape."""
        version = require_version(request, FLAT_VERSIONS)
        return await self._execute(request, version, wrapped=self._faults.now.wrapped_body)

    async def execute_wrapped(self, request: web.Request) -> web.StreamResponse:
        """Run code in the shape of the first preview."""
        version = require_version(request, (WRAPPED_VERSION,))
        return await self._execute(request, version, wrapped=True)

    async def release(self, request: web.Request) -> web.Response:
        """End a session and free its place."""
        require_version(request, SESSION_VERSIONS)
        refused = self._faults.now.delete_refused
        if refused is not None:
            raise ServiceError(refused, "OperationNotSupported", "Sessions cannot be deleted.")
        if not await self._sessions.release(checked_identifier(request.query.get("identifier"))):
            raise _no_session()
        return web.Response(status=204)

    async def show(self, request: web.Request) -> web.Response:
        """Describe a session without touching it."""
        require_version(request, SESSION_VERSIONS)
        lease = self._sessions.registry.get(checked_identifier(request.query.get("identifier")))
        if lease is None:
            raise _no_session()
        return web.json_response(self._describe(lease))

    async def list(self, request: web.Request) -> web.Response:
        """Describe every allocated session."""
        require_version(request, SESSION_VERSIONS)
        leases = self._sessions.registry.leases()
        return web.json_response({"sessions": [self._describe(lease) for lease in leases], "nextLink": None})

    async def metadata(self, request: web.Request) -> web.Response:
        """Say what runs the code."""
        require_version(request, SESSION_VERSIONS)
        return web.json_response(self._metadata)

    async def _execute(self, request: web.Request, version: str, *, wrapped: bool) -> web.StreamResponse:
        identifier = checked_identifier(request.query.get("identifier"))
        asked = parse_execution(await request.read(), version=version, wrapped=wrapped)
        async with self._sessions.use(identifier) as allocation:
            outcome = await self._run(allocation.session, asked)
        body = _wrapped(outcome) if wrapped else _flat(identifier, outcome)
        return await self._send(request, body, _headers(allocation, outcome))

    async def _send(
        self, request: web.Request, body: dict[str, Any], headers: dict[str, str]
    ) -> web.StreamResponse:
        payload = json.dumps(body).encode()
        status = 202 if self._faults.now.accepted_status else 200
        response = web.Response(body=payload, status=status, headers=headers, content_type="application/json")
        return await half(request, response) if self._faults.now.cut_answers else response

    async def _run(self, session: Session, asked: ExecutionRequest) -> Outcome:
        if self._faults.happens("kill_kernel_rate"):
            return await _run_and_die(session, asked, self._faults.within(LONGEST_LIFE_SECONDS))
        return await _run(session, asked)

    def _describe(self, lease: Lease) -> dict[str, Any]:
        return {
            "identifier": lease.identifier,
            "createdAt": _time(lease.created),
            "lastAccessedAt": _time(lease.accessed),
            "expireAt": _time(lease.accessed + self._sessions.registry.cooldown),
            "etag": str(uuid.uuid5(uuid.NAMESPACE_OID, lease.identifier)),
        }


async def _run(session: Session, asked: ExecutionRequest) -> Outcome:
    return await session.execute(
        asked.code, timeout_seconds=asked.timeout_seconds, max_length=asked.max_length
    )


async def _run_and_die(session: Session, asked: ExecutionRequest, seconds: float) -> Outcome:
    """Kill the session's kernel while it runs the code, or before it could say that the code ended."""
    running = asyncio.create_task(_run(session, asked))
    try:
        await asyncio.wait({running}, timeout=seconds)
    finally:
        session.kill(RESTARTED)
    took = (await running).duration_ms
    return Outcome(succeeded=False, stdout="", stderr=RESTARTED, value="", duration_ms=took)


def _flat(identifier: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "$id": "1",
        "id": str(uuid.uuid4()),
        "identifier": identifier,
        "executionType": "Synchronous",
        "status": "Succeeded" if outcome.succeeded else "Failed",
        "result": {"$id": "2", "stdout": outcome.stdout, "stderr": outcome.stderr}
        | {"executionResult": outcome.value, "executionTimeInMilliseconds": outcome.duration_ms},
    }


def _wrapped(outcome: Outcome) -> dict[str, Any]:
    properties = {
        "$id": "2",
        "status": "Success" if outcome.succeeded else "Failed",
        "stdout": outcome.stdout,
        "stderr": outcome.stderr,
        "result": outcome.value,
        "executionTimeInMilliseconds": outcome.duration_ms,
    }
    return {"$id": "1", "properties": properties}


def _headers(allocation: Allocation, outcome: Outcome) -> dict[str, str]:
    return {
        "operation-id": str(uuid.uuid4()),
        "x-ms-session-guid": allocation.session.guid,
        "x-ms-allocation-time": str(allocation.milliseconds),
        "x-ms-container-execution-duration": str(outcome.duration_ms),
    }


def _no_session() -> ServiceError:
    return ServiceError(404, "NoSessionFoundError", "No session was found for the identifier.")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
