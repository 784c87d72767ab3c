"""``jsworker deadletters``."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click
from pydantic import ValidationError

from worker.cli import dealing, letters
from worker.cli.dealing import matching, opened
from worker.cli.moments import Moment
from worker.cli.running import Failure, batch_name, examples, output, run
from worker.report import printable
from worker.result import Result
from worker.seen import Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from worker.seen import Seen
    from worker.tools import DeadLetterTools

F = TypeVar("F", bound="Callable[..., Any]")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
_QUEUE = click.option("--queue", help="Of this queue only, when there are several.")
_DRY = click.option("--dry-run", is_flag=True, help="Only show what is meant; lock and change nothing.")
_ALL = click.option("--all", "everything", is_flag=True, help="Every dead letter, without a filter.")
_RATE = click.option(
    "--rate", type=click.FloatRange(min=0.01), default=20, show_default=True, help="The most in a second."
)


@click.group(
    "deadletters",
    epilog=examples(
        "jsworker deadletters list",
        "jsworker deadletters replay --reason MaxDeliveryCountExceeded --batch hw1 --dry-run",
    ),
)
def command() -> None:
    """Look at the queues' dead letters, run their jobs again, or remove them.

    Each dead letter's job has a result that says why, which a worker writes within seconds.
    """


def _filters(function: F) -> F:
    """The options that say which letters are meant; they become one argument, ``wanted``."""
    options = (
        click.option(
            "--reason", multiple=True, help="Why it is dead, exactly; '' for no reason. Repeatable."
        ),
        click.option("--batch", callback=batch_name, help="The job's batch."),
        click.option("--job", help="The job's id."),
        click.option("--after", type=Moment(), help="Enqueued since a time, or an age like 3d."),
        click.option("--before", type=Moment(), help="Enqueued before a time, or an age like 2h."),
        click.option(
            "--sequence",
            type=click.IntRange(min=1),
            multiple=True,
            help="Its number in the queue. Repeatable.",
        ),
        _QUEUE,
    )
    for option in reversed(options):
        function = option(function)
    return function


def _wanted(reason: tuple[str, ...], sequence: tuple[int, ...], **others: Any) -> Wanted:  # noqa: ANN401 - Wanted's own
    return Wanted(reasons=frozenset(reason), numbers=frozenset(sequence), **others)


@command.command(
    "list",
    epilog=examples(
        "jsworker deadletters list",
        "jsworker deadletters list --batch hw1 --after 2h --long",
        "jsworker deadletters list --long --json | jq -r .message_id",
    ),
)
@_filters
@click.option("--long", "each", is_flag=True, help="A line a letter.")
@_JSON
def list_(*, each: bool, as_json: bool, **filters: Any) -> None:  # noqa: ANN401 - the options of _filters
    """Show the dead letters by reason, or each of them."""
    run(_list(_wanted(**filters), each=each, as_json=as_json))


@command.command("show", epilog=examples("jsworker deadletters show 4711"))
@click.argument("sequence", type=click.IntRange(min=1))
@_QUEUE
@_JSON
def show(sequence: int, queue: str | None, *, as_json: bool) -> None:
    """Show all that is known of one dead letter, by its number in the queue."""
    run(_show(Wanted(numbers=frozenset({sequence}), queue=queue), as_json=as_json))


@command.command(
    "replay",
    epilog=examples(
        "jsworker deadletters replay --reason TTLExpiredException --after 1d --dry-run",
        "jsworker deadletters replay --batch hw1",
        "jsworker deadletters replay --all --rate 5",
    ),
)
@_filters
@_ALL
@_DRY
@_RATE
def replay(*, everything: bool, dry_run: bool, rate: float, **filters: Any) -> None:  # noqa: ANN401 - the options of _filters
    """Run the jobs of dead letters again, from the first attempt on.

    A copy is sent before the original is removed, so stopping this at any time loses nothing. The new result
    takes the place of the one that says why the letter is dead; a job with an outcome of its own keeps it.
    """
    wanted = _some(_wanted(**filters), everything=everything)
    run(dealing.replay(wanted, rate, dry_run=dry_run))


@command.command(
    "purge",
    epilog=examples(
        "jsworker deadletters purge --reason invalid_job --before 7d --dry-run",
        "jsworker deadletters purge --batch hw1 --yes",
    ),
)
@_filters
@_ALL
@_DRY
@_RATE
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(*, everything: bool, dry_run: bool, rate: float, yes: bool, **filters: Any) -> None:  # noqa: ANN401 - the options of _filters
    """Remove dead letters for good; the results of their jobs remain."""
    wanted = _some(_wanted(**filters), everything=everything)
    if not yes and not dry_run:
        click.confirm("This removes messages for good (--dry-run shows which). Go on?", abort=True, err=True)
    run(dealing.purge(wanted, rate, dry_run=dry_run))


def _some(wanted: Wanted, *, everything: bool) -> Wanted:
    if wanted.is_all and not everything:
        raise click.UsageError("Give a filter, or --all for every dead letter.")
    if everything and not wanted.is_all:
        raise click.UsageError("Give either a filter or --all.")
    return wanted


async def _list(wanted: Wanted, *, each: bool, as_json: bool) -> int:
    async with opened() as tools, aclosing(matching(tools, wanted)) as found:
        with output(None) as out:
            if each:
                await _show_each(found, out, as_json=as_json)
            else:
                await _show_groups(found, out, as_json=as_json)
    return 0


async def _show_each(found: AsyncGenerator[Seen], out: TextIO, *, as_json: bool) -> None:
    if not as_json:
        out.write(f"{letters.headings()}\n")
    async for letter in found:
        text = letters.as_line(letters.document(letter)) if as_json else letters.line(letter)
        out.write(f"{text}\n")


async def _show_groups(found: AsyncGenerator[Seen], out: TextIO, *, as_json: bool) -> None:
    groups = letters.Groups()
    async for letter in found:
        groups.add(letter)
    lines = (letters.as_line(group.document()) for group in groups.ordered()) if as_json else groups.table()
    out.writelines(f"{text}\n" for text in lines)


async def _show(wanted: Wanted, *, as_json: bool) -> int:
    async with opened() as tools, aclosing(matching(tools, wanted)) as found:
        letter = _only([letter async for letter in found])
        result = await _result(tools, letter)
    with output(None) as out:
        if as_json:
            known = {"result": result.model_dump(mode="json") if result else None}
            out.write(f"{letters.as_line(letters.document(letter) | known)}\n")
        else:
            out.writelines(f"{name:<12} {printable(text)}\n" for name, text in letters.story(letter, result))
    return 0


def _only(found: list[Seen]) -> Seen:
    if not found:
        raise Failure("there is no such dead letter: jsworker deadletters list --long shows them")
    if len(found) > 1:
        queues = ", ".join(letter.queue for letter in found)
        raise Failure(f"several queues have one of this number: {queues}; choose with --queue")
    return found[0]


async def _result(tools: DeadLetterTools, letter: Seen) -> Result | None:
    """The result of its job, if there is one that can be read."""
    job_id, batch = letter.job
    standing = await tools.committer.standing(batch, job_id)
    try:
        return Result.model_validate_json(standing.data) if standing else None
    except ValidationError:
        raise Failure(f"the result of {letters.named(letter)} cannot be read") from None
