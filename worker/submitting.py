"""Submitting one batch as a whole: what can be used is sent, the rest has a rejection for its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.batch import Folder
from worker.committing import Committer
from worker.fitting import INPUTS
from worker.handed_in import PROGRAMS
from worker.progress import Progress
from worker.rejecting import Rejections
from worker.sending import Submission, Submitted
from worker.setting_groups import PREFIX
from worker.settings import ClientSettings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.batch import Queue
    from worker.blobs import Blobs
    from worker.candidate import Candidate

PATIENCE_SECONDS = 20  # with a store that is out of reach


async def submit(
    store: Blobs, queue: Queue, settings: ClientSettings, batch: str, jobs: Sequence[Candidate]
) -> Submitted:
    """Submit one batch and reject what of it cannot be used; may be run again after a crash at any point.

    Raises:
        SettingsError: workers would not be allowed to read what is uploaded.
        BatchError: the batch was cancelled, has other jobs of the same id, or a job fits no message.
    """
    absent = {PROGRAMS, INPUTS}.difference(settings.code_containers)
    if absent:
        raise SettingsError(f"{PREFIX}CODE_CONTAINERS must name {' and '.join(sorted(absent))} too")
    container = settings.results_container
    folder = Folder(container, batch)
    done = await Submission(store, queue, folder).run(jobs)
    committer = Committer(store, container, Progress(store, container), PATIENCE_SECONDS)
    await Rejections(store, folder, committer).record([job for job in jobs if job.problem is not None])
    return done
