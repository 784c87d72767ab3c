"""Whether a schedule's run may start: not when it comes too late, and beside another only if that is wanted.

A blob beside the results names the run of a schedule that started last. It is moved by compare and swap, and
the run that it names counts as running for as long as it has no result: also while its worker is dead and its
message waits. A run that is named there has been admitted, however often its message comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Protocol

import structlog
from pydantic import AfterValidator, Field, ValidationError

from worker.cancelling import mark, marker
from worker.faults import AlreadyCommitted, BlobMissing
from worker.instants import read, written
from worker.model import Model
from worker.names import NAME, check_name
from worker.result import result_blob
from worker.trigger import Instant  # noqa: TC001 - pydantic reads it when the model is made

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.inputs import Content
    from worker.trigger import Scheduled

log = structlog.get_logger()
TURN_SECONDS = 5.0
FORGOTTEN_AFTER = timedelta(hours=6)  # without a sign of life: its message was purged, or has expired
_MOST_BYTES = 4096


class Store(Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def read(self, blob: str, *, limit: int) -> Content: ...  # noqa: D102 - the adapter says

    async def create(self, blob: str, data: bytes, *, content_type: str = ...) -> str: ...  # noqa: D102

    async def put(self, blob: str, data: bytes, *, if_match: str | None = None) -> str: ...  # noqa: D102

    async def metadata(self, blob: str) -> dict[str, str]: ...  # noqa: D102


@dataclass(frozen=True)
class Refused:
    """The run is not to start, and will not: its result says so."""

    code: str
    message: str


@dataclass(frozen=True)
class Later:
    """The run waits for its turn."""

    seconds: float


class Claim(Model):
    """Which run of a schedule started last.

    ``seen_at`` is when a worker had its message in hand last, before it ran.
    """

    id: Annotated[str, Field(pattern=NAME), AfterValidator(check_name)]
    planned_at: Instant
    seen_at: Instant


class Admissions:
    """Admits the runs of schedules in the results container of a deployment."""

    def __init__(
        self, store: Store, container: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store, self._container, self._clock = store, container, clock

    async def admit(
        self, batch: str, job_id: str, scheduled: Scheduled, *, is_new: bool
    ) -> Refused | Later | None:
        """None when the run may start. Its claim stands then, unless any number may run at a time.

        Args:
            batch: of the job.
            job_id: the run's.
            scheduled: what the job says of its schedule.
            is_new: it has not been executed, so that it may be too late.
        """
        if is_new and (late := too_late(scheduled, self._clock())):
            return late
        if scheduled.overlap == "allow":
            return None
        own = Claim(id=job_id, planned_at=scheduled.planned_at, seen_at=written(self._clock()))
        blob = f"{self._container}/{batch}/_schedule/{scheduled.name}.json"
        while True:
            standing, etag = await self._standing(blob)
            if standing and await self._is_running(batch, standing, job_id):
                refused = await self._beside(batch, standing, scheduled)
                if refused:
                    return refused
            if await self._claim(blob, own, etag):
                return None

    async def _beside(self, batch: str, other: Claim, scheduled: Scheduled) -> Refused | Later | None:
        """What becomes of a run while another one runs; None when it takes the other's place.

        The marker stands before the place is taken: else a crash in between would leave both running.
        """
        if scheduled.overlap == "queue":
            return Later(TURN_SECONDS)
        is_newer = read(other.planned_at) > read(scheduled.planned_at)
        if scheduled.overlap == "skip" or is_newer:
            return Refused("overlap_skipped", f"the run {other.id} had not ended when this one was to start")
        await mark(self._store, marker(self._container, batch, other.id))
        log.info("run_replaced", replaced=other.id)
        return None

    async def _is_running(self, batch: str, claim: Claim, job_id: str) -> bool:
        """Whether the run of a claim is another one that goes on."""
        if claim.id == job_id:
            return False
        if read(claim.seen_at) < self._clock() - FORGOTTEN_AFTER:
            log.warning("run_forgotten", forgotten=claim.id, seen_at=claim.seen_at)
            return False
        try:
            await self._store.metadata(f"{self._container}/{result_blob(batch, claim.id)}")
        except BlobMissing:
            return True
        return False

    async def _standing(self, blob: str) -> tuple[Claim | None, str | None]:
        """The claim that stands, and its ETag; one that cannot be read counts for none."""
        try:
            content = await self._store.read(blob, limit=_MOST_BYTES)
        except BlobMissing:
            return None, None
        try:
            return Claim.model_validate_json(content.data), content.etag
        except ValidationError:
            return None, content.etag

    async def _claim(self, blob: str, own: Claim, etag: str | None) -> bool:
        """False when another was faster, or this very write was, whose answer was lost."""
        data = own.model_dump_json().encode()
        try:
            if etag is None:
                await self._store.create(blob, data)
            else:
                await self._store.put(blob, data, if_match=etag)
        except AlreadyCommitted:
            return False
        return True


def too_late(scheduled: Scheduled, now: datetime) -> Refused | None:
    """Why a run is not to start any more, if so: the last of those that were missed makes up for all."""
    late = now - read(scheduled.due_at)
    if scheduled.manual or late <= timedelta(seconds=scheduled.misfire_window_seconds):
        return None
    is_last = scheduled.next_at is None or read(scheduled.next_at) > now
    if scheduled.misfire == "run_once" and is_last:
        return None
    window = scheduled.misfire_window_seconds
    return Refused(
        "misfire_skipped", f"came {late.total_seconds():.0f} s late; at most {window} s are allowed"
    )
