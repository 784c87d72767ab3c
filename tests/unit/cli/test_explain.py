from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import click
import pytest

from tests.unit.batch.fakes import message, result
from worker.batch import Entry
from worker.cli.explain import document, told, what_next
from worker.cli.target import batch_or_job, job_of
from worker.explaining import Story, moment
from worker.settlement import History

LATER = datetime(2026, 1, 1, 12, 3, 10, tzinfo=UTC)
SENT = Story(
    batch="hw1",
    id="a",
    has_manifest=True,
    entry=Entry("a", "0"),
    sent=True,
    message=None,
    ahead=0,
    dead=(),
    result=None,
    leftovers=(),
    cancelled=False,
)
TRIED = History(attempts=2, copies=3, setbacks=1, reasons=("no answer", "pool full"), first_enqueued_ms=1)
ENDED = json.loads(
    result(
        "a",
        status="failed",
        exit_code=3,
        deliveries=2,
        faults=("no answer",),
        timings={"queued_ms": 2500.0, "execute_ms": 41.5},
        error={"code": "boom", "message": "it broke"},
    ).model_dump_json()
)
COPY = message("a", state="scheduled", scheduled_at=LATER, history=TRIED)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (replace(SENT, message=COPY), "tried again at 2026-01-01 12:03:10 UTC; 2 of 5 attempts are spent"),
        (replace(SENT, message=replace(COPY, history=History())), "taken by a worker at 2026-01-01 12:03:10"),
        (replace(SENT, message=message("a"), ahead=7), "waiting behind about 7 messages"),
        (replace(SENT, message=message("a"), ahead=7), "is a worker running?"),
        (replace(SENT, message=message("a")), "the first in the queue, or with a worker right now"),
        (replace(SENT, message=message("a", state="deferred")), "somebody has deferred its message"),
        (replace(SENT, message=COPY, cancelled=True), "will end as cancelled"),
        (replace(SENT, dead=(message("a"),)), "jsworker deadletters replay"),
        (SENT, "nowhere: run jsworker reconcile hw1 --repair"),
        (replace(SENT, sent=False), "it was not sent"),
        (replace(SENT, entry=None, leftovers=("x",)), "in no manifest"),
        (replace(SENT, result=ENDED), "nothing: it ended"),
        (replace(SENT, result=ENDED, message=message("a")), "completed without running"),
        (replace(SENT, result=ENDED, dead=(message("a"),)), "to run it again: jsworker deadletters replay"),
    ],
)
def test_it_says_what_happens_next(found: Story, says: str) -> None:
    assert says in what_next(found, 5)


def text(found: Story) -> str:
    return "\n".join(f"{topic} {line}" for topic, line in told(found, 5))


def test_setbacks_and_their_reasons_are_told_oldest_first() -> None:
    seen = text(replace(SENT, message=COPY))
    assert "delivered 0 times before; put off 3 times, 2 attempts lost, 1 setback" in seen
    assert seen.index("- no answer") < seen.index("- pool full")
    assert "first put into the queue 1970-01-01 00:00:00 UTC" in seen


def test_a_result_is_told_with_its_timings_and_what_went_wrong_before() -> None:
    seen = text(replace(SENT, result=ENDED, leftovers=("hw1/a/attempts/1/stdout",), cancelled=True))
    for part in (
        "failed, exit code 3, 2026-01-01 00:00:00 UTC",
        "boom: it broke",
        "queued 2.5 s, execute 42 ms",
    ):
        assert part in seen
    for part in (
        "delivery 2 of its message",
        "- no answer",
        "worker here",
        "hw1/a/attempts/1/stdout",
        "cancelled yes",
    ):
        assert part in seen


def test_a_dead_letter_is_told_with_its_reason() -> None:
    seen = text(replace(SENT, dead=(message("a", reason="TTLExpiredException", description="too old"),)))
    assert "in the dead-letter queue: TTLExpiredException: too old" in seen
    assert "history" not in seen


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (SENT, "yes, and recorded as sent"),
        (replace(SENT, sent=False), "not recorded as sent"),
        (replace(SENT, entry=None), "manifest does not have it"),
        (replace(SENT, entry=None, has_manifest=False), "has no manifest"),
    ],
)
def test_it_says_whether_it_was_submitted(found: Story, says: str) -> None:
    assert says in text(found)


def test_results_that_are_not_a_workers_are_told_all_the_same() -> None:
    for strange in ({}, {"timings": {"queued_ms": "x"}, "finished_at": 3, "status": "\x1b[2J"}):
        assert "nothing: it ended" in text(replace(SENT, result=strange))


def test_the_document_is_json_and_has_no_body() -> None:
    seen = json.loads(json.dumps(document(replace(SENT, message=COPY, dead=(COPY,), result=ENDED), 5)))
    assert seen["message"]["scheduled_at"] == "2026-01-01T12:03:10+00:00"
    assert seen["message"]["history"]["reasons"] == ["no answer", "pool full"]
    assert "body" not in seen["message"]
    assert seen["next"] == what_next(replace(SENT, message=COPY, result=ENDED), 5)


def test_a_time_of_today_is_told_without_its_date() -> None:
    assert moment(LATER, LATER) == "12:03:10 UTC"


@pytest.mark.parametrize(
    ("text", "batch", "expected"),
    [
        ("hw1/a", None, ("hw1", "a")),
        ("a", "hw1", ("hw1", "a")),
        ("a", None, ("default", "a")),
        ("hw1/a", "hw1", ("hw1", "a")),
    ],
)
def test_a_job_is_named_with_or_without_its_batch(
    text: str, batch: str | None, expected: tuple[str, str]
) -> None:
    assert job_of(text, batch) == expected


@pytest.mark.parametrize(
    ("text", "batch"), [("hw1/a", "hw2"), ("", None), ("../a", None), ("a/b/c", None), ("hw1/", None)]
)
def test_what_names_no_job_is_wrong_usage(text: str, batch: str | None) -> None:
    with pytest.raises(click.UsageError):
        job_of(text, batch)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("hw1", None, None), ("hw1", None)),
        (("hw1/a", None, None), ("hw1", "a")),
        ((None, "a", "hw1"), ("hw1", "a")),
        ((None, None, "hw1"), ("hw1", None)),
    ],
)
def test_a_batch_or_a_job_is_named_in_one_way_or_the_other(
    arguments: tuple[str | None, str | None, str | None], expected: tuple[str, str | None]
) -> None:
    assert batch_or_job(*arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        (None, None, None),
        (None, "a", None),
        ("hw1", "a", None),
        ("hw1", None, "hw1"),
        ("..", None, None),
        (None, "../a", "hw1"),
    ],
)
def test_naming_neither_or_several_is_wrong_usage(
    arguments: tuple[str | None, str | None, str | None],
) -> None:
    with pytest.raises(click.UsageError):
        batch_or_job(*arguments)
