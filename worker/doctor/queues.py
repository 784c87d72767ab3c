"""The check of the queues and topics that the settings name: how they are set, what they hold, who may in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from worker.administration import open_administration
from worker.doctor.check import Check
from worker.doctor.entities import entities_of
from worker.doctor.namespace import namespace_of
from worker.doctor.namespace_host import namespace_host
from worker.doctor.queue_judging import Judge
from worker.doctor.queue_links import opened
from worker.doctor.sign_in import token_service_bus
from worker.faults import ConfigurationFault, EntityMissing, ServiceFault
from worker.servicebus import open_servicebus

if TYPE_CHECKING:
    from worker.administration import Administration
    from worker.doctor.context import Context
    from worker.doctor.entities import Entity
    from worker.doctor.finding import Finding

AT_A_TIME = 4  # each link costs half a second of waiting, and a good deal of work


async def queues(context: Context) -> list[Finding]:
    """Look at each queue and topic; what can be told of it in two ways is told once."""
    settings, room = context.settings, asyncio.Semaphore(AT_A_TIME)
    async with (
        open_administration(settings, context.credential) as administration,
        open_servicebus(settings, context.credential, retry_total=0) as client,
    ):

        async def looked_at(entity: Entity) -> list[Finding]:
            async with room:
                read = await _read(context, administration, entity)
                failed = {finding.check for finding in read if finding.status == "failed"}
                links = [] if "queue-exists" in failed else await opened(context, client, entity)
                return [*(finding for finding in links if finding.check not in failed), *read]

        found = await asyncio.gather(*map(looked_at, entities_of(settings)))
    return [finding for findings in found for finding in findings]


async def _read(context: Context, administration: Administration, entity: Entity) -> list[Finding]:
    """What the properties and the contents of an entity are found to be, if they may be read."""
    judge = Judge(entity, namespace_of(context.settings), context.settings)
    try:
        if entity.is_topic:
            topic = await administration.topic(entity.name)
            counts = await administration.topic_counts(entity.name)
            return [*judge.topic(topic), *judge.contents(counts, topic.max_size_bytes)]
        queue = await administration.queue(entity.name)
        counts = await administration.queue_counts(entity.name)
        return [*judge.queue(queue), *judge.contents(counts, queue.max_size_bytes)]
    except EntityMissing as fault:
        return [judge.missing(_message(fault))]
    except ServiceFault as fault:
        return [judge.hidden(_message(fault))]


def _message(fault: ServiceFault) -> str:
    remedy = fault.remedy if isinstance(fault, ConfigurationFault) else ""
    return str(fault).removesuffix(f". {remedy}")


CHECKS = (Check(queues, "service-bus", needs=(namespace_host, token_service_bus), seconds=120),)
