"""The jobs that follow others, sent to the queue that those come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.announcing import Announcements
from worker.chains import Chains
from worker.committing import Committer
from worker.endings import Endings
from worker.messages import Outgoing
from worker.observing import SILENT
from worker.outbox import Outbox
from worker.progress import Progress
from worker.settings import WorkerSettings
from worker.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.blobs import Blobs
    from worker.observing import Observer
    from worker.servicebus import Sender
    from worker.settings import ClientSettings
    from worker.trace import Trace

MAX_FAN_OUT: int = WorkerSettings.model_fields["max_fan_out"].default


class Children:
    """Messages of such jobs on their way to one queue."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def send(self, messages: Sequence[tuple[str, bytes]], trace: Trace | None) -> None:
        """Send messages, given by their ids and bodies, as a part of a trace."""
        fields = trace.fields() if trace else {}
        await self._sender.send([Outgoing(body, message_id, fields) for message_id, body in messages])


def endings_of(  # noqa: PLR0913 - wiring
    blobs: Blobs,
    sender: Sender,
    settings: ClientSettings,
    patience_seconds: float,
    *,
    on_told: Callable[[str], None] = lambda _: None,
    outbox: Outbox | None = None,
    observer: Observer = SILENT,
) -> Endings:
    """What ends jobs, put together.

    ``on_told`` hears the batch of each result that is told. What is put into the ``outbox`` of a worker is
    sent by it; without one it is left to workers. The ``observer`` hears of each commit.
    """
    container = settings.results_container
    committer = Committer(blobs, container, Progress(blobs, container), patience_seconds, on_told)
    max_width = settings.max_fan_out if isinstance(settings, WorkerSettings) else MAX_FAN_OUT
    chains = Chains(Shelf(blobs, patience_seconds), container, max_width)
    return Endings(
        committer,
        chains,
        Children(sender),
        patience_seconds,
        announcements=Announcements(settings),
        outbox=outbox or Outbox(blobs, container),
        observer=observer,
    )
