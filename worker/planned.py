"""One run of a schedule: its time, its job, and the message that will start it.

All that is said of a run follows from the schedule and its planned time, so that any number of schedulers
make the same message, under the same id.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from worker.batch import BatchError, check_fits
from worker.faults import JobRejected
from worker.fitting import MAX_MESSAGE_BYTES
from worker.instants import compact, written
from worker.job import validate_job
from worker.messages import Outgoing
from worker.trigger import Scheduled

if TYPE_CHECKING:
    from typing import Literal

    from worker.schedule import Schedule

SCHEDULE, GROUP, PLANNED_AT = "jsworker-schedule", "jsworker-schedule-group", "jsworker-planned-at"
OWN_ENVIRONMENT = ("JSWORKER_SCHEDULE", "JSWORKER_PLANNED_AT", "JSWORKER_RUN_NUMBER")


@dataclass(frozen=True)
class Planned:
    """A run of a schedule at a planned time; ``manual`` is what made it, if not that the time has come."""

    schedule: Schedule
    planned_at: datetime
    manual: Literal["trigger", "backfill"] | None = None
    mark: str = ""  # keeps apart the runs by hand of one second

    @classmethod
    def by_hand(cls, schedule: Schedule, moment: datetime) -> Planned:
        """A run that somebody wants now; it is another one each time."""
        return cls(schedule, moment.replace(microsecond=0), "trigger", secrets.token_hex(3))

    @cached_property
    def due_at(self) -> datetime:
        """When it is to start: the planned time and the jitter, which name and time determine."""
        jitter = 0 if self.manual == "trigger" else self.schedule.jitter_seconds
        seed = hashlib.sha256(f"{self.schedule.name}/{written(self.planned_at)}".encode()).digest()
        return self.planned_at + timedelta(seconds=int.from_bytes(seed[:8], "big") % (jitter + 1))

    @property
    def batch(self) -> str:
        """Of the job."""
        return self.schedule.batch

    @property
    def key(self) -> tuple[str, str]:
        """What the properties of its messages say: the schedule's name and the planned time."""
        return self.schedule.name, written(self.planned_at)

    @property
    def job_id(self) -> str:
        """Of the job: the same for all messages of one run."""
        time = compact(self.planned_at)
        return (
            f"{self.schedule.name}.manual-{time}-{self.mark}" if self.mark else f"{self.schedule.name}.{time}"
        )

    @property
    def message_id(self) -> str:
        """What duplicate detection goes by; another one for each definition of the schedule."""
        schedule = self.schedule
        time = f"{compact(self.planned_at)}-{self.mark}" if self.mark else compact(self.planned_at)
        return f"schedule/{schedule.name}/{time}/{schedule.digest}"

    @property
    def run(self) -> int:
        """The number of the run; 0 by hand."""
        return 0 if self.manual == "trigger" else self.schedule.times.number(self.planned_at)

    def document(self) -> dict[str, Any]:
        """The job.

        Raises:
            JobRejected: the template makes none.
        """
        schedule = self.schedule
        values = (schedule.name, written(self.planned_at), str(self.run))
        document = {
            "version": 1,
            "id": self.job_id,
            "batch": self.batch,
            **schedule.job,
            "env": {**schedule.job.get("env", {}), **dict(zip(OWN_ENVIRONMENT, values, strict=True))},
            "trigger": {"schedule": self.trigger().model_dump(exclude_none=True)},
        }
        validate_job(document)
        return document

    def trigger(self) -> Scheduled:
        """What the job and its result say of the schedule."""
        schedule = self.schedule
        following = next(schedule.times.after(self.planned_at), None)
        return Scheduled(
            name=schedule.name,
            planned_at=written(self.planned_at),
            due_at=written(self.due_at),
            run=self.run,
            overlap=self._overlap(),
            misfire=schedule.misfire,
            misfire_window_seconds=schedule.misfire_window_seconds,
            next_at=written(following) if following else None,
            manual=self.manual,
        )

    def message(self, group: str, suffix: str = "") -> Outgoing:
        """The message that becomes visible when the run is due.

        Raises:
            JobRejected: the template makes no job, or one that fits no message.
        """
        body = json.dumps(self.document(), separators=(",", ":")).encode()
        _check_fits(self.batch, self.job_id, body)
        return Outgoing(
            body,
            f"{self.message_id}{suffix}",
            {SCHEDULE: self.schedule.name, GROUP: group, PLANNED_AT: written(self.planned_at)},
            visible_at=self.due_at,
        )

    def _overlap(self) -> Literal["allow", "skip", "queue", "replace"]:
        """What is made up for must not be skipped, nor end what runs: it waits."""
        overlap = self.schedule.overlap
        return "queue" if self.manual == "backfill" and overlap != "allow" else overlap


def _check_fits(batch: str, job_id: str, body: bytes) -> None:
    try:
        check_fits(batch, [job_id])
    except BatchError as error:
        raise JobRejected("invalid_job", str(error), "id") from None
    if len(body) > MAX_MESSAGE_BYTES:
        message = f"the job has {len(body):,} bytes and {MAX_MESSAGE_BYTES:,} are taken: put code into a blob"
        raise JobRejected("invalid_job", message)
