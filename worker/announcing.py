"""Who is told that a job or a batch has ended, and with what messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.destinations import united
from worker.faults import JobRejected
from worker.job_events import CONTENT_TYPE, Event, batch_completed, job_completed
from worker.parcels import Parcel, Record
from worker.webhook_url import check_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.destinations import Destination
    from worker.result import Result
    from worker.settings import ClientSettings


@dataclass(frozen=True)
class Announcements:
    """Makes the records of the outbox, by the settings; none where nobody is to be told."""

    settings: ClientSettings

    def of_job(
        self,
        result: Result,
        attempt: str,
        reply_to: tuple[Destination, ...],
        replaces: str | None = None,
    ) -> Record | None:
        """What is to be sent once a result is committed.

        Args:
            result: not committed yet.
            attempt: its name.
            reply_to: of the job; what is not allowed there is left out: the job was rejected for it.
            replaces: ETag of the result that this one is to take the place of.
        """
        if result.trigger and result.trigger.depth > self.settings.max_chain_depth:
            return None  # its event might make the next job, and so on without end
        asked = [one for one in reply_to if self.refusal(one) is None]
        to = united(self.settings.events_to, asked)
        if not to:
            return None
        event = job_completed(result, attempt, self.settings.event_source, self.settings.results_container)
        return Record(result.batch, result.id, attempt, _parcels(event, to), replaces)

    def of_batch(self, record: Mapping[str, Any]) -> Record | None:
        """What is to be sent once a batch's record of completion stands."""
        if not self.settings.events_to:
            return None
        event = batch_completed(record, self.settings.event_source, self.settings.results_container)
        return Record(
            str(record["batch"]), None, str(record["mark"]), _parcels(event, self.settings.events_to)
        )

    def check(self, reply_to: tuple[Destination, ...]) -> None:
        """Refuse destinations that the settings do not allow.

        Raises:
            JobRejected: with the first of them.
        """
        for index, one in enumerate(reply_to):
            if refusal := self.refusal(one):
                code, message = refusal
                raise JobRejected(code, message, f"reply_to.{index}.{one.kind}")

    def refusal(self, destination: Destination) -> tuple[str, str] | None:
        """Why a job may not have its events sent there: a code and a sentence; None if it may."""
        if destination.key in {one.key for one in self.settings.allowed_destinations}:
            return None
        if destination.kind != "webhook":
            message = f"events may not be sent to the {destination.kind} {destination.name!r} here"
            return "destination_not_allowed", message
        try:
            check_url(destination.name, self.settings.webhook_hosts)
        except JobRejected as error:
            return error.code, error.message
        return None


def _parcels(event: Event, to: tuple[Destination, ...]) -> tuple[Parcel, ...]:
    return tuple(Parcel(one, event.id, event.body, CONTENT_TYPE, event.type, event.properties) for one in to)
