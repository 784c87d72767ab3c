"""What ends jobs, put together for one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.core.fake_queue import FakeChildren, FakePost
from worker.announcing import Announcements
from worker.chains import Chains
from worker.endings import Endings
from worker.observing import SILENT
from worker.outbox import Outbox, Sending
from worker.settings import ClientSettings
from worker.shelf import Shelf

if TYPE_CHECKING:
    from tests.unit.core.calls import Calls
    from tests.unit.core.fake_blobs import FakeBlobs
    from tests.unit.core.fake_queue import Queue
    from worker.committing import Committer
    from worker.observing import Observer

PATIENCE_SECONDS = 5


def endings(  # noqa: PLR0913, PLR0917 - wiring
    committer: Committer,
    blobs: FakeBlobs,
    queue: Queue,
    calls: Calls,
    settings: ClientSettings | None = None,
    observer: Observer = SILENT,
) -> Endings:
    """As ``worker.children`` does it."""
    chains = Chains(Shelf(blobs, PATIENCE_SECONDS), "results", 1000)
    settings = settings or ClientSettings()
    outbox = Outbox(blobs, "results", Sending(FakePost(queue, calls), Announcements(settings)))
    return Endings(
        committer,
        chains,
        FakeChildren(queue, calls),
        PATIENCE_SECONDS,
        announcements=Announcements(settings),
        outbox=outbox,
        observer=observer,
    )
