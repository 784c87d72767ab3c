"""The command line of dead letters: what it refuses, which letters it means, and how it shows them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from worker.cli import main
from worker.cli.letters import Groups, document, line, story
from worker.cli.moments import Moment, shown
from worker.report import printable
from worker.result import Error, Producer, Result
from worker.seen import Seen, Wanted
from worker.settlement import History

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
EVIL = "\x1b[31m\r\n\u202e"


def letter(number: int = 1, reason: str | None = "spam", job: str = "j1", batch: str = "b1") -> Seen:
    body = json.dumps({"version": 1, "id": job, "batch": batch, "code": {"inline": ""}}).encode()
    return Seen(number, f"{batch}/{job}", 3, body=body, reason=reason, enqueued_at=NOON, description="why")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings: whoever gets as far as to need them ends with their absence."""
    for name in ("SERVICEBUS_NAMESPACE", "SERVICEBUS_CONNECTION_STRING", "STORAGE_ACCOUNT_URL"):
        monkeypatch.delenv(f"JSWORKER_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["", " list", " show", " replay", " purge"])
def test_every_command_has_help_with_examples(name: str) -> None:
    answer = CliRunner().invoke(main, ["deadletters", *name.split(), "--help"])
    assert answer.exit_code == 0
    assert f"  jsworker deadletters{name}" in answer.output.partition("Examples:")[2]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", ["replay", "purge"])
def test_replay_and_purge_want_a_filter_or_to_be_told_that_all_is_meant(name: str) -> None:
    def output(*options: str) -> str:
        answer = CliRunner().invoke(main, ["deadletters", name, *options])
        assert answer.exit_code == 2
        return answer.output

    assert "Give a filter, or --all" in output()
    assert "Give a filter, or --all" in output("--dry-run")
    assert "either a filter or --all" in output("--all", "--batch", "b1")
    assert "the settings cannot be used" in output("--all", "--dry-run")
    assert "the settings cannot be used" in output("--reason", "", "--dry-run")


@pytest.mark.usefixtures("bare")
def test_purge_asks_and_takes_only_yes_for_it() -> None:
    asked = ["deadletters", "purge", "--batch", "b1"]
    no = CliRunner().invoke(main, asked, input="n\n")
    assert no.exit_code == 1
    assert "Go on?" in no.output
    assert CliRunner().invoke(main, asked, input="").exit_code == 1
    for answer in (CliRunner().invoke(main, asked, input="y\n"), CliRunner().invoke(main, [*asked, "--yes"])):
        assert "the settings cannot be used" in answer.output


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "options",
    [
        ["list", "--before", "yesterday"],
        ["list", "--after", "999999w"],
        ["list", "--batch", "../x"],
        ["list", "--sequence", "0"],
        ["show"],
        ["show", "x"],
        ["replay", "--all", "--rate", "0"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_wrong_usage(options: list[str]) -> None:
    answer = CliRunner().invoke(main, ["deadletters", *options])
    assert answer.exit_code == 2
    assert "Usage:" in answer.output


def test_times_are_moments_or_ages() -> None:
    moment = Moment()
    assert moment.convert("2026-05-04T12:00:00Z", None, None) == NOON
    assert moment.convert("2026-05-04T14:00:00+02:00", None, None) == NOON
    assert moment.convert("2026-05-04", None, None) == NOON - timedelta(hours=12)
    for text, age in (("90m", timedelta(minutes=90)), ("2h", timedelta(hours=2)), ("3d", timedelta(days=3))):
        found = moment.convert(text, None, None)
        assert isinstance(found, datetime)
        assert abs(datetime.now(UTC) - age - found) < timedelta(seconds=60)
    with pytest.raises(click.BadParameter):
        moment.convert("-2h", None, None)
    assert shown(NOON) == "2026-05-04 12:00:00Z"
    assert shown(None) == "-"


@pytest.mark.parametrize(
    ("wanted", "is_meant"),
    [
        (Wanted(), True),
        (Wanted(reasons=frozenset({"spam", "x"})), True),
        (Wanted(reasons=frozenset({"spa"})), False),
        (Wanted(reasons=frozenset({""})), False),
        (Wanted(batch="b1", job="j1"), True),
        (Wanted(batch="b1", job="j2"), False),
        (Wanted(batch="b2"), False),
        (Wanted(numbers=frozenset({1, 2})), True),
        (Wanted(numbers=frozenset({2})), False),
        (Wanted(after=NOON), True),
        (Wanted(before=NOON), False),
        (Wanted(after=NOON - timedelta(1), before=NOON + timedelta(1), batch="b1"), True),
        (Wanted(after=NOON + timedelta(1)), False),
    ],
)
def test_all_that_is_asked_of_a_letter_must_hold(wanted: Wanted, *, is_meant: bool) -> None:
    assert wanted.takes(letter()) is is_meant


def test_letters_without_a_reason_a_time_or_a_job_can_be_meant_too() -> None:
    bare = Seen(7, "m", body=b"no JSON")
    assert Wanted(reasons=frozenset({""})).takes(bare)
    assert Wanted(batch="default", job="message-7").takes(bare)
    assert not Wanted(before=NOON).takes(bare)


def test_letters_are_counted_by_reason_the_most_frequent_first() -> None:
    groups = Groups()
    for number in range(5):
        groups.add(letter(number, "TTLExpiredException"))
    groups.add(letter(8, None))
    groups.add(letter(9, EVIL))
    heading, *rows = groups.table()
    assert heading.split() == ["REASON", "COUNT", "OLDEST", "EXAMPLES"]
    assert rows[0].split()[:2] == ["TTLExpiredException", "5"]
    assert rows[0].endswith("0 (b1/j1), 1 (b1/j1), 2 (b1/j1), ...")
    assert rows[1].startswith("(no reason)")
    assert all(row.isprintable() for row in rows)
    found = [group.document() for group in groups.ordered()]
    assert [(group["reason"], group["count"]) for group in found[:2]] == [("TTLExpiredException", 5), ("", 1)]


def test_nothing_of_a_letter_reaches_the_terminal_as_it_is() -> None:
    history = History(attempts=1, reasons=(EVIL,))
    evil = Seen(1, EVIL, body=EVIL.encode() * 9000, reason=EVIL, description=EVIL * 900, history=history)
    assert line(evil).isprintable()
    texts = dict(story(evil, None))
    assert len(texts["body"]) < 5000
    assert "90,000 bytes in all" in texts["body"]
    assert len(texts["description"]) <= 400
    assert all(printable(text).isprintable() for text in texts.values())


def test_the_story_of_a_letter_tells_its_result() -> None:
    result = Result(
        id="j1",
        batch="b1",
        status="rejected",
        error=Error(code="invalid_job", message="no"),
        worker=Producer(version="1", instance="i"),
        started_at=NOON,
        finished_at=NOON,
    )
    assert dict(story(letter(), result))["result"] == "rejected (invalid_job: no)"
    assert dict(story(letter(), None))["result"].startswith("none yet")
    assert dict(story(Seen(1, "m"), None))["body"].startswith("(no data")


def test_a_letter_for_programs_has_its_body_and_its_job() -> None:
    found = document(letter())
    assert (found["batch"], found["id"], found["sequence_number"], found["origin"]) == ("b1", "j1", 1, 1)
    assert json.loads(found["body"])["id"] == "j1"
    assert "body" not in document(letter(), body=False)
    assert document(Seen(1, "m"))["body"] is None
