"""``jsworker webhooks``."""

from __future__ import annotations

import json
import secrets
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from worker.cli import undelivered
from worker.cli.dealing import Told
from worker.cli.letters import as_line
from worker.cli.running import UNDONE, Failure, examples, output, quiet_logs, run
from worker.cli.undelivered import WantedEvents
from worker.faults import InfrastructureFault, JobRejected
from worker.replaying import Pass
from worker.setting_groups import WebhookSettings
from worker.settings import ClientSettings, load
from worker.tools import open_dead_letters
from worker.webhook_posting import HttpPoster
from worker.webhook_replaying import Resend
from worker.webhook_signing import signature_headers
from worker.webhook_url import allowed_target

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from typing import Any

    from worker.seen import Seen
    from worker.tools import DeadLetterTools
    from worker.webhooks import Answer

RATE = 20.0
_HOST = click.option("--host", help="Of the webhook's URL.")
_ID = click.option("--id", "event_id", metavar="EVENT_ID", help="Of the event.")


@click.group(
    "webhooks",
    epilog=examples(
        "jsworker webhooks list",
        "jsworker webhooks replay --host hooks.example.com --dry-run",
        "jsworker webhooks ping https://hooks.example.com/jsworker",
    ),
)
def command() -> None:
    """Look at events that could not be delivered to their webhooks, send them again, or try a webhook."""


@command.command(
    "list",
    epilog=examples(
        "jsworker webhooks list --host hooks.example.com", "jsworker webhooks list --json | jq -r .event_id"
    ),
)
@_HOST
@_ID
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the whole URL.")
def list_(*, host: str | None, event_id: str | None, as_json: bool) -> None:
    """Show the events that were given up, a line each."""
    run(_list(WantedEvents(host, event_id), as_json=as_json))


@command.command(
    "replay",
    epilog=examples(
        "jsworker webhooks replay --host hooks.example.com --dry-run", "jsworker webhooks replay --all"
    ),
)
@_HOST
@_ID
@click.option("--all", "everything", is_flag=True, help="Every event that was given up.")
@click.option("--dry-run", is_flag=True, help="Only show what is meant; lock and change nothing.")
def replay(*, host: str | None, event_id: str | None, everything: bool, dry_run: bool) -> None:
    """Send events again that were given up, from the first attempt on.

    A copy is sent before the original is removed, so stopping this at any time loses nothing. Receivers may
    get an event twice and know it by its id.
    """
    if everything == bool(host or event_id):
        raise click.UsageError("Give --host or --id, or --all for every event.")
    run(_replay(WantedEvents(host, event_id), dry_run=dry_run))


@command.command("ping", epilog=examples("jsworker webhooks ping https://hooks.example.com/jsworker"))
@click.argument("url")
def ping(url: str) -> None:
    """Post a signed test event to a webhook at once, and show what came.

    The same rules hold as for events of the worker; no queue is needed.
    """
    run(_ping(url))


@asynccontextmanager
async def _opened() -> AsyncIterator[DeadLetterTools]:
    settings = load(ClientSettings)
    quiet_logs()
    async with open_dead_letters(
        settings.model_copy(update={"queue": settings.webhooks_queue, "queues": ()})
    ) as tools:
        yield tools


async def _matching(tools: DeadLetterTools, wanted: WantedEvents) -> AsyncGenerator[Seen]:
    async with aclosing(tools.browser.messages(dead=True)) as found:
        async for letter in found:
            if wanted.takes(letter):
                yield letter


async def _list(wanted: WantedEvents, *, as_json: bool) -> int:
    async with _opened() as tools, aclosing(_matching(tools, wanted)) as found:
        await _show(found, (lambda letter: as_line(undelivered.document(letter))) if as_json else None)
    return 0


async def _show(found: AsyncGenerator[Seen], written: Callable[[Seen], str] | None) -> set[int]:
    """Print letters; their numbers."""
    numbers = set[int]()
    with output(None) as out:
        if written is None:
            out.write(f"{undelivered.HEADINGS}\n")
        async for letter in found:
            numbers.add(letter.sequence_number)
            out.write(f"{(written or undelivered.line)(letter)}\n")
    return numbers


async def _replay(wanted: WantedEvents, *, dry_run: bool) -> int:
    async with _opened() as tools:
        async with aclosing(_matching(tools, wanted)) as found:
            if dry_run:
                count = len(await _show(found, None))
                click.echo(f"{count} events match; none was replayed", err=True)
                return 0
            told = Told("replayed", tools.queues)
            async for letter in found:
                told.add(letter)
        try:
            for name, queue in tools.queues.items():
                await Pass(queue, Resend(queue), RATE).run(told.tallies[name], told.tick)
        finally:
            told.sum_up()
    return UNDONE if told.left else 0


async def _ping(url: str) -> int:
    settings = load(WebhookSettings)
    quiet_logs()
    try:
        answer = await _pinged(settings, url)
    except (JobRejected, InfrastructureFault) as error:
        raise Failure(str(error)) from None
    click.echo(f"{answer.status} {answer.text}".rstrip())
    return 0 if 200 <= answer.status < 300 else UNDONE  # noqa: PLR2004 - HTTP's


async def _pinged(settings: WebhookSettings, url: str) -> Answer:
    target = allowed_target(url, settings.webhook_hosts)
    now, event_id = datetime.now(UTC), f"ping-{secrets.token_hex(8)}"
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/jsworker/webhooks",
        "type": "jsworker.webhook.ping",
        "time": now.isoformat(),
    }
    body = json.dumps(event).encode()
    headers = signature_headers(settings.webhook_keys, event_id, int(now.timestamp()), body)
    return await HttpPoster(settings).post(target, headers, body)
