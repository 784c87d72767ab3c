"""``jsworker explain``."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from worker.batch import Folder
from worker.cli.chain import document_of, lines_of, listed
from worker.cli.running import batch_name, examples, quiet_logs, run
from worker.cli.target import job_of
from worker.explaining import counted, moment, story
from worker.report import printable
from worker.settings import ClientSettings, WorkerSettings, load
from worker.tools import open_browser, open_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.explaining import Story
    from worker.seen import Seen
    from worker.settlement import History

_PHASES = ("queued", "fetch", "wait", "allocate", "execute", "release", "store")
_LONGEST = 500


class Settings(ClientSettings):
    """What is said of attempts is right if this is set as for the workers."""

    max_attempts: int = WorkerSettings.model_fields["max_attempts"].default


@click.command(
    "explain",
    epilog=examples(
        "jsworker explain hw1/s0042",
        "jsworker explain s0042 --batch hw1 --json",
    ),
)
@click.argument("job")
@click.option("--batch", callback=batch_name, help="The job's batch; 'default' if none is given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(job: str, batch: str | None, *, as_json: bool) -> None:
    """Tell one job's story: where it is, what it has been through, and what happens next.

    JOB is a job's id, or BATCH/ID.
    """
    batch, job_id = job_of(job, batch)
    run(_explain(batch, job_id, as_json=as_json))


async def _explain(batch: str, job_id: str, *, as_json: bool) -> int:
    settings = load(Settings)
    quiet_logs()
    folder = Folder(settings.results_container, batch)
    async with open_client(settings) as client, open_browser(settings) as browser:
        found = await story(client.blobs, browser, folder, job_id)
    if as_json:
        click.echo(json.dumps(document(found, settings.max_attempts)))
    else:
        for topic, text in told(found, settings.max_attempts):
            click.echo(f"{topic:<10} {printable(text)[:_LONGEST]}".rstrip())
    return 0


def document(found: Story, max_attempts: int) -> dict[str, Any]:
    """The story for programs."""
    return {
        "id": found.id,
        "batch": found.batch,
        "in_manifest": found.entry is not None,
        "recorded_as_sent": found.sent,
        "cancelled": found.cancelled,
        "message": _message(found.message) if found.message else None,
        "messages_before_it": found.ahead if found.message else None,
        "dead_letters": [_message(message) for message in found.dead],
        "result": found.result,
        "leftovers": found.leftovers,
        "chain": document_of(found.near),
        "next": what_next(found, max_attempts),
    }


def told(found: Story, max_attempts: int) -> Iterator[tuple[str, str]]:
    """The story for people: a topic and a sentence, line by line."""
    yield "job", f"{found.batch}/{found.id}"
    yield "submitted", _submitted(found)
    if found.cancelled:
        yield "cancelled", "yes: the job, or its batch, is marked as cancelled"
    if found.message:
        yield "message", _where(found.message)
        yield from _past(found.message)
    for message in found.dead:
        yield "dead", _dead(message)
        yield from _past(message)
    if found.result is not None:
        yield from _result(found.result)
    for name in found.leftovers:
        yield "leftover", f"{name} (of an attempt that did not become the result)"
    yield from lines_of(found.near)
    yield "next", what_next(found, max_attempts)


def what_next(found: Story, max_attempts: int) -> str:
    """What will happen, or what has to be done for something to happen."""
    if found.result is not None:
        return _after_result(found)
    if found.message:
        return _with_message(found, found.message, max_attempts)
    if found.dead:
        return (
            "a running worker gives it a result that says why, within seconds; to run it again: "
            "jsworker deadletters replay"
        )
    if found.near.awaited:
        return f"it is made when these have ended: {listed(found.near.awaited)}"
    return _without_message(found)


def _without_message(found: Story) -> str:
    if found.entry and not found.sent:
        return f"it was not sent: submit the batch again, or run jsworker reconcile {found.batch} --repair"
    if found.entry:
        return f"nowhere: run jsworker reconcile {found.batch} --repair"
    return "nowhere, and in no manifest: whoever sent it must send it again"


def _with_message(found: Story, message: Seen, max_attempts: int) -> str:
    attempts = message.history.attempts
    spent = f"; {attempts} of {max_attempts} attempts are spent" if attempts else ""
    if found.cancelled:
        return "it will end as cancelled when a worker comes to it: is one running?"
    if message.state == "scheduled" and message.scheduled_at:
        again = "tried again" if message.history.copies else "taken by a worker"
        return f"it will be {again} at {moment(message.scheduled_at)}{spent}"
    if message.state == "deferred":
        return "nothing: somebody has deferred its message, and jsworker never asks for deferred messages"
    behind = (
        f"waiting behind about {counted(found.ahead, 'message')}" if found.ahead else "the first in the queue"
    )
    return f"{behind}, or with a worker right now: is a worker running?{spent}"


def _after_result(found: Story) -> str:
    if found.message:
        return "nothing: it ended; its message is still there, and is completed without running the job"
    if found.dead:
        return "nothing: it ended; to run it again: jsworker deadletters replay"
    return "nothing: it ended"


def _submitted(found: Story) -> str:
    if not found.has_manifest:
        return "not by jsworker submit: the batch has no manifest"
    if not found.entry:
        return "not by jsworker submit: the batch's manifest does not have it"
    return "yes, and recorded as sent" if found.sent else "in the manifest, but not recorded as sent"


def _where(message: Seen) -> str:
    since = f", since {moment(message.enqueued_at)}" if message.enqueued_at else ""
    if message.state == "scheduled" and message.scheduled_at:
        return f"{message.message_id}: scheduled until {moment(message.scheduled_at)}"
    return f"{message.message_id}: {message.state} in the queue{since}"


def _dead(message: Seen) -> str:
    why = message.reason or "no reason given"
    return f"{message.message_id}: in the dead-letter queue: {why}: {message.description or ''}".rstrip(": ")


def _past(message: Seen) -> Iterator[tuple[str, str]]:
    """What has happened to a message and to those it is a copy of."""
    history = message.history
    if not message.delivery_count and not history.copies:
        return
    yield "history", f"delivered {counted(message.delivery_count, 'time')} before; {_spent(history)}"
    if history.first_enqueued_ms and history.copies:
        first = datetime.fromtimestamp(history.first_enqueued_ms / 1000, UTC)
        yield "", f"first put into the queue {moment(first)}"
    for reason in history.reasons:
        yield "", f"- {reason}"


def _spent(history: History) -> str:
    lost, setbacks = counted(history.attempts, "attempt"), counted(history.setbacks, "setback")
    passed = f", let others pass {counted(history.yields, 'time')}" if history.yields else ""
    return f"put off {counted(history.waits, 'time')}, {lost} lost, {setbacks}{passed}"


def _result(result: dict[str, Any]) -> Iterator[tuple[str, str]]:
    verdict = f", {result['verdict']}" if result.get("verdict") else ""
    code = "" if result.get("exit_code") is None else f", exit code {result['exit_code']}"
    yield "result", f"{result.get('status')}{verdict}{code}, {_when(result.get('finished_at'))}"
    if error := result.get("error"):
        yield "error", f"{error.get('code')}: {error.get('message')}"
    if took := _took(result.get("timings") or {}):
        yield "took", took
    attempts, deliveries = result.get("attempts", 1), result.get("deliveries", 1)
    yield "history", f"attempt {attempts}, delivery {deliveries} of its message"
    for fault in result.get("faults") or ():
        yield "", f"- {fault}"
    yield "worker", str((result.get("worker") or {}).get("instance"))


def _when(text: object) -> str:
    with suppress(TypeError, ValueError):
        return moment(datetime.fromisoformat(str(text)))
    return "at an unknown time"


def _took(timings: dict[str, Any]) -> str:
    known = [(phase, timings.get(f"{phase}_ms")) for phase in _PHASES]
    return ", ".join(f"{phase} {_duration(ms)}" for phase, ms in known if isinstance(ms, int | float))


def _duration(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"  # noqa: PLR2004


def _message(message: Seen) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(message).items() if name != "body"}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()
    }
