"""Jobs with cases, run as a worker runs them, on sessions of a local pool; results instead of commits."""

from __future__ import annotations

import json
import secrets
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from worker.attempt import Attempt
from worker.delivery import Delivery
from worker.faults import BlobMissing
from worker.identifiers import Identifiers
from worker.inputs import Content, InputFetcher
from worker.job import carried, validate_job
from worker.job_run import JobRun, Services
from worker.local.pool import PoolConfig
from worker.local.pool import SessionPool as LocalPool
from worker.permits import Permits
from worker.session_leases import SessionLeases
from worker.sessions import open_sessions
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.result import Result


class Blobs:
    """What was written, and what was put there to be read."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Content:
        del limit, etag
        if blob not in self.data:
            raise BlobMissing(blob)
        return Content(self.data[blob], "etag")

    async def put(self, blob: str, data: bytes | AsyncIterator[bytes], *, content_type: str) -> str:
        del content_type
        self.data[blob] = data if isinstance(data, bytes) else b"".join([piece async for piece in data])
        return "etag"


class Grader:
    """Grades programs, each in a fresh session, one at a time: there is one permit."""

    def __init__(self, leases: SessionLeases, settings: WorkerSettings) -> None:
        self.blobs, self._leases, self._settings = Blobs(), leases, settings

    async def __call__(self, code: str, *cases: dict[str, Any], **fields: Any) -> Result:  # noqa: ANN401 - the job's
        """Run a program, perhaps at a ``path``; ``file`` are fields of the cases file beside ``cases``."""
        file = {"version": 1, "cases": list(cases), **fields.pop("file", {})}
        source = {"inline": code, "path": fields.pop("path", None)}
        body = {"version": 1, "id": "j1", "code": source, "cases": {"inline": file}, **fields}
        job = validate_job(json.loads(json.dumps(body)))
        attempt = Attempt("a1", "j1", "default", carried(None), 1, 1, (), datetime.now(UTC))
        services = cast("Services", self)
        return await JobRun(services, Delivery(None, "m1", 1, 0), attempt, job).result()

    @property
    def store(self) -> Blobs:
        return self.blobs

    @property
    def inputs(self) -> InputFetcher:
        return InputFetcher(self.blobs, self._settings)

    @property
    def leases(self) -> SessionLeases:
        return self._leases

    @property
    def settings(self) -> WorkerSettings:
        return self._settings

    def hidden(self, result: Result) -> dict[str, Any]:
        """What was stored of hidden cases, by index."""
        assert result.hidden_blob
        found: dict[str, Any] = json.loads(self.blobs.data[result.hidden_blob])
        return found


@asynccontextmanager
async def open_grader() -> AsyncIterator[Grader]:
    token = secrets.token_hex()
    async with LocalPool(PoolConfig(token=token, spares=1, max_sessions=1)) as pool:
        values = {"pool_endpoint": pool.endpoint, "pool_token": token, "max_sessions": 1}
        settings = WorkerSettings.model_validate(values)
        async with open_sessions(settings, None) as sessions:
            leases = SessionLeases(sessions, Permits(1), Identifiers(b"secret"), settings)
            yield Grader(leases, settings)
            await leases.close()


def verdicts(result: Result) -> list[str]:
    return [case.verdict for case in result.cases]


def messages(result: Result) -> list[str | None]:
    return [case.message for case in result.cases]
