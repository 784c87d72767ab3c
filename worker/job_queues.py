"""Adapter that sends jobs to the queues they are for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from worker.messages import Outgoing, with_history
from worker.settlement import History

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.routing import JobMessage
    from worker.servicebus import Sender


class JobQueues:
    """The queues of one namespace.

    Args:
        sender: gives the one that sends to a queue.
        queue: of jobs that name none.
    """

    def __init__(self, sender: Callable[[str], Sender], queue: str) -> None:
        self._sender, self._queue = sender, queue

    async def send(self, jobs: Sequence[JobMessage]) -> None:
        """Send jobs, each to its queue; after an error any of them may have been sent.

        Raises:
            ServiceFault: a queue is not there, or out of reach.
        """
        queues: dict[str, list[Outgoing]] = {}
        for job in jobs:
            queues.setdefault(job.queue or self._queue, []).append(_outgoing(job))
        for queue, messages in queues.items():
            await self._sender(queue).send(messages)


def _outgoing(job: JobMessage) -> Outgoing:
    message = Outgoing(job.body, job.message_id, {"traceparent": job.traceparent} if job.traceparent else {})
    if job.replaces is None:
        return message
    history = History(
        copies=1,  # whoever gets it looks first whether the refusal still stands
        reasons=("made again on request: its event could not become a job before",),
        first_enqueued_ms=int(time.time() * 1000),
        replaces=job.replaces,
    )
    return with_history(message, history)
