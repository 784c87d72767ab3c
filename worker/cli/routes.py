"""``jsworker routes``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from worker.cli.running import FILE, UNDONE, Failure, examples, failures
from worker.envelope import document_of
from worker.events import events_in, is_event
from worker.faults import InfrastructureFault, JobRejected
from worker.planning import Made, others, plan
from worker.report import printable
from worker.routes_file import InvalidRoutes, read_routes
from worker.setting_groups import ChainSettings
from worker.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worker.events import Event
    from worker.planning import Plan, Planned
    from worker.routes import Match, RoutesFile

_EXAMPLES = examples(
    "jsworker routes check routes.yaml",
    "jsworker routes check routes.yaml --event blob-created.json",
    "jsworker routes check routes.yaml --event blob-created.json --json | jq '.jobs[].job'",
)


@click.group("routes", epilog=_EXAMPLES)
def command() -> None:
    """Check routes, by which events become jobs."""


@command.command("check", epilog=_EXAMPLES)
@click.argument("path", metavar="FILE", type=FILE)
@click.option("--event", "event_file", type=FILE, help="An event, or a list of them, as JSON.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def check(path: Path, event_file: Path | None, *, as_json: bool) -> None:
    """Check a file of routes, and show what would become of an event.

    Nothing is sent. An event is one in CloudEvents 1.0 or in Event Grid's own schema. Shown are the routes
    that take it, with the job of each, or why there can be none.

    The exit status is 1 when the routes or the event cannot be used, when a job cannot be made, and when an
    event that no route takes would be dead-lettered.
    """
    with failures():
        file = _routes(path)
        if event_file is None:
            click.echo(json.dumps(_listed(file)) if as_json else "\n".join(_lines(path, file)))
            return
        events = _events(event_file)
        found = _planned(file, events)
    if as_json:
        click.echo(json.dumps(_document(file, found), ensure_ascii=False))
    else:
        click.echo("\n".join(printable(line) for line in _story(file, events, found)))
    if found.refused or (found.unmatched and file.unmatched == "dead_letter"):
        raise SystemExit(UNDONE)


def _routes(path: Path) -> RoutesFile:
    try:
        return read_routes(path)
    except InvalidRoutes as error:
        raise Failure("the routes cannot be used:\n" + "\n".join(error.told(str(path)))) from None


def _events(path: Path) -> tuple[Event, ...]:
    data = path.read_bytes()
    try:
        document = document_of(data)
        if not is_event(document):
            raise Failure(f"{path}: this is no event: one has a specversion, or an eventType")
        return events_in(document, len(data))
    except JobRejected as rejection:
        field = f"{rejection.field}: " if rejection.field else ""
        raise Failure(f"{path}: {rejection.code}: {field}{rejection.message}") from None


def _planned(file: RoutesFile, events: tuple[Event, ...]) -> Plan:
    settings = load(ChainSettings)
    if len(others(events, settings.results_container)) < len(events):
        message = f"blobs of {settings.results_container!r} are results: events about them are passed over"
        raise Failure(message)
    try:
        return plan(file, events, settings.max_chain_depth)
    except InfrastructureFault as fault:
        raise Failure(str(fault)) from None


def _listed(file: RoutesFile) -> dict[str, Any]:
    routes = [
        {"name": route.name, "match": route.match.model_dump(exclude_unset=True), "queue": route.queue}
        for route in file.routes
    ]
    return {"unmatched": file.unmatched, "routes": routes}


def _lines(path: Path, file: RoutesFile) -> Iterator[str]:
    count = len(file.routes)
    yield f"{path}: {count} route{'s' if count > 1 else ''}; an event that none takes is {_end(file)}"
    for route in file.routes:
        job = f", job {route.job}" if isinstance(route.job, str) else ""
        queue = f", to the queue {route.queue}" if route.queue else ""
        yield printable(f"  {route.name}: {', '.join(_conditions(route.match))}{job}{queue}")


def _conditions(match: Match) -> Iterator[str]:
    for name in ("type", "source", "subject"):
        if pattern := getattr(match, name):
            yield f"{name} {pattern}"
    for expression, wanted in match.data.items():
        yield f"data {expression} = {json.dumps(wanted)}"


def _end(file: RoutesFile) -> str:
    return "dead-lettered" if file.unmatched == "dead_letter" else "completed, and told in the log"


def _story(file: RoutesFile, events: tuple[Event, ...], found: Plan) -> Iterator[str]:
    for event in events:
        yield f"{event.type} {event.id}" + (f", blob {event.blob}" if event.blob else "")
    for event in found.unmatched:
        yield f"no route takes {event.id}: it is {_end(file)}"
    for job in found.jobs:
        yield ""
        yield f"route {job.route.name}: {job.message_id}"
        if isinstance(job.outcome, Made):
            if job.outcome.event_blob:
                yield f"  its event, {len(job.outcome.event_data)} bytes, lies in {job.outcome.event_blob}"
            yield from json.dumps(json.loads(job.outcome.body), indent=2, ensure_ascii=False).splitlines()
        else:
            field = f"{job.outcome.field}: " if job.outcome.field else ""
            yield f"  is rejected: {job.outcome.code}: {field}{job.outcome.message}"


def _document(file: RoutesFile, found: Plan) -> dict[str, Any]:
    unmatched = [{"id": event.id, "source": event.source, "type": event.type} for event in found.unmatched]
    return {"jobs": [_planned_document(job) for job in found.jobs],
            "unmatched": unmatched, "unmatched_are": file.unmatched}  # fmt: skip


def _planned_document(job: Planned) -> dict[str, Any]:
    told = {"route": job.route.name, "id": job.id, "batch": job.batch, "queue": job.route.queue}
    if isinstance(job.outcome, Made):
        return {**told, "job": json.loads(job.outcome.body), "event_blob": job.outcome.event_blob}
    error = {"code": job.outcome.code, "message": job.outcome.message, "field": job.outcome.field}
    return {**told, "error": error}
