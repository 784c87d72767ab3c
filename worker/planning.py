"""What becomes of an event: a job for each route that takes it, or why there can be none."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.faults import JobRejected
from worker.filling import Unfilled, filled
from worker.fitting import INPUTS, MAX_MESSAGE_BYTES
from worker.job import identity, validate_job
from worker.matching import blocks, matches
from worker.trigger import MOST_DEPTH, EventTrigger, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from worker.events import Event
    from worker.routes import Route, RoutesFile

MOST_MESSAGE_ID = 119  # the queue takes 128, and a job that is made anew has a mark of its own


@dataclass(frozen=True)
class Made:
    """A job that can be sent.

    Attributes:
        body: the job as its message carries it.
        event_blob: where its event is to lie before that, if it fits no message.
        event_data: what is to lie there.
    """

    body: bytes
    event_blob: str | None = None
    event_data: bytes = b""


@dataclass(frozen=True)
class Planned:
    """What an event becomes by a route: a job, or a reason why there can be none.

    Attributes:
        id: the same for the same event and route, whenever it comes.
    """

    route: Route
    id: str
    batch: str
    trigger: Trigger
    traceparent: str | None
    outcome: Made | JobRejected

    @property
    def message_id(self) -> str:
        """What duplicate detection goes by."""
        return f"{self.batch}/{self.id}"


@dataclass(frozen=True)
class Plan:
    """What becomes of the events of a message."""

    jobs: tuple[Planned, ...]
    unmatched: tuple[Event, ...]

    @property
    def refused(self) -> list[tuple[Planned, JobRejected]]:
        """Those of the jobs that cannot be made, and why."""
        return [(job, job.outcome) for job in self.jobs if isinstance(job.outcome, JobRejected)]


def plan(file: RoutesFile, events: Iterable[Event], max_depth: int) -> Plan:
    """The jobs of these events, each once, however often its event is there.

    Raises:
        InfrastructureFault: the machine gave a pattern no time.
    """
    jobs: dict[str, Planned] = {}
    unmatched = []
    for event in events:
        planned = [each for route in file.routes if (each := _planned(file, route, event, max_depth))]
        jobs.update({each.id: each for each in planned if each.id not in jobs})
        if not planned:
            unmatched.append(event)
    return Plan(tuple(jobs.values()), tuple(unmatched))


def others(events: Iterable[Event], results_container: str) -> list[Event]:
    """The events without those about results: a job of such a one would make the next event, without end.

    So would a result that says that it is refused: nothing at all is to be written about them.
    """
    return [event for event in events if event.container != results_container]


def takes_long(file: RoutesFile) -> bool:
    """Whether ``plan`` may block for long."""
    return any(blocks(route.match) for route in file.routes)


def job_id(route: str, event: Event) -> str:
    """The id of the job that an event becomes by a route of this name."""
    whole = f"{event.source}\0{event.id}\0{route}"  # none of them has a NUL
    return f"{route}-{hashlib.sha256(whole.encode()).hexdigest()[:20]}"


def _planned(file: RoutesFile, route: Route, event: Event, max_depth: int) -> Planned | None:
    told = EventTrigger(id=event.id, source=event.source, type=event.type, route=route.name)
    trigger = Trigger(event=told, depth=min(event.depth + 1, MOST_DEPTH))
    template = file.template(route)
    batch, whose = _batch(template, event) or route.name, job_id(route.name, event)
    outcome: Made | JobRejected
    try:
        if not matches(route.match, event):
            return None
        _check_depth(event, max_depth)
        outcome = _made(route, template, event, {"id": whose, "batch": batch}, trigger)
    except Unfilled as error:
        outcome = JobRejected(error.code, error.message, error.field or None)
    except JobRejected as rejection:
        outcome = rejection
    return Planned(route, whose, batch, trigger, event.traceparent, outcome)


def _check_depth(event: Event, max_depth: int) -> None:
    if event.depth >= max_depth:
        message = f"{event.depth} jobs and events led to this one, and {max_depth} are the most"
        raise JobRejected("chain_too_deep", message, "trigger.depth")


def _batch(template: dict[str, Any], event: Event) -> str | None:
    """The batch that a template names, if it can be used; also of a job that cannot be made otherwise."""
    try:
        return identity({"batch": filled(template.get("batch"), values_of(event))})[1]
    except Unfilled:
        return None


def _made(
    route: Route, template: dict[str, Any], event: Event, names: dict[str, str], trigger: Trigger
) -> Made:
    own = filled({name: part for name, part in template.items() if name != "then"}, values_of(event))
    then = {"then": template["then"]} if "then" in template else {}  # is filled in when the job has ended
    document = {"version": 1, "batch": names["batch"], **own, **then}
    document |= {"id": names["id"], "trigger": trigger.model_dump(exclude_none=True)}
    text = json.dumps(event.document, ensure_ascii=False)
    whole = _given(document, route, text)
    validate_job(whole)
    if len(f"{names['batch']}/{names['id']}") > MOST_MESSAGE_ID:
        raise JobRejected("invalid_job", "the names of batch and route are too long together", "batch")
    body = _encoded(whole)
    if len(body) <= MAX_MESSAGE_BYTES:
        return Made(body)
    blob = f"{INPUTS}/{names['batch']}/{names['id']}/event.json"
    body = _encoded(_given(document, route, {"blob": blob}))
    if len(body) > MAX_MESSAGE_BYTES:
        message = f"the job has {len(body)} bytes beside its event, and {MAX_MESSAGE_BYTES} fit a message"
        raise JobRejected("limit_exceeded", message)
    return Made(body, blob, text.encode())


def values_of(event: Event) -> Mapping[str, Any]:
    """What templates can name."""
    container, _, name = (event.blob or "").partition("/")
    blob = {"blob": event.blob, "container": container, "name": name} if event.blob else {}
    return {"event": event.document, **blob}


def _given(document: dict[str, Any], route: Route, event: str | dict[str, Any]) -> dict[str, Any]:
    """The job with its event where the route wants it, as text or as a blob."""
    document, files = dict(document), document.get("files", [])
    if route.file and isinstance(files, list):  # else it is no job anyway
        content = event if isinstance(event, dict) else {"inline": event}
        document["files"] = [*files, {"path": route.file, **content}]
    if route.stdin:
        document["stdin"] = event
    return document


def _encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
