"""What ends jobs, put together for one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.core.fake_queue import FakeChildren
from worker.chains import Chains
from worker.endings import Endings
from worker.shelf import Shelf

if TYPE_CHECKING:
    from tests.unit.core.calls import Calls
    from tests.unit.core.fake_blobs import FakeBlobs
    from tests.unit.core.fake_queue import Queue
    from worker.committing import Committer


def endings(
    committer: Committer, blobs: FakeBlobs, queue: Queue, calls: Calls, patience: float = 5
) -> Endings:
    """As ``worker.children`` does it."""
    chains = Chains(Shelf(blobs, patience), "results", 1000)
    return Endings(committer, chains, FakeChildren(queue, calls), patience)
