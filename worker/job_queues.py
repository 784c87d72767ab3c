"""Adapter that sends jobs to the queues they are for; a link to each is opened when it is first needed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from worker.messages import Outgoing, with_history
from worker.servicebus import Sender
from worker.settlement import History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azure.servicebus.aio import ServiceBusClient

    from worker.routing import JobMessage


class JobQueues:
    """The queues of one namespace.

    Args:
        client: the namespace.
        queue: of jobs that name none.
    """

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self._client, self._queue = client, queue
        self._senders: dict[str, Sender] = {}

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

    async def close(self) -> None:
        """Close the links."""
        await asyncio.gather(*(sender.close() for sender in self._senders.values()))

    def _sender(self, queue: str) -> Sender:
        return self._senders.setdefault(queue, Sender(self._client, queue))


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
