from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.unit.batch.fakes import message
from worker.cli.reconcile import document, is_short, report
from worker.reconciling import Comparison, Missing, Repaired

LATER = datetime(2026, 1, 1, 12, 3, 10, tzinfo=UTC)
SOUND = Comparison(
    jobs=2, results=1, missing=(Missing("w", "waiting", message("w")),), strangers=(), untold=()
)


def lacking(*missing: Missing, untold: tuple[str, ...] = ()) -> Comparison:
    return Comparison(jobs=9, results=9 - len(missing), missing=missing, strangers=(), untold=untold)


def text(found: Comparison, done: Repaired | None = None, most: int | None = 20) -> str:
    return "\n".join(report("hw1", found, done, most))


def test_each_kind_is_counted_and_each_job_named_with_what_is_known_of_it() -> None:
    seen = text(
        lacking(
            Missing("w", "waiting", message("w", delivery_count=2)),
            Missing("s", "scheduled", message("s", scheduled_at=LATER)),
            Missing("d", "dead_lettered", message("d", reason="MaxDeliveryCountExceeded")),
            Missing("l1", "lost"),
            Missing("l2", "lost"),
        )
    )
    assert seen.startswith("hw1: 9 jobs, 4 results, 5 without a result\n")
    assert "1 waiting " in seen
    assert "w  delivered 2 times so far" in seen
    assert "s  until 2026-01-01 12:03:10 UTC" in seen
    assert "d  MaxDeliveryCountExceeded" in seen
    assert "2 lost " in seen
    assert "next: jsworker reconcile hw1 --repair" in seen
    assert "never sent" not in seen


def test_long_lists_are_cut_unless_all_is_asked_for() -> None:
    found = lacking(*(Missing(f"s{number:02}", "lost") for number in range(25)))
    assert "s19" in text(found)
    assert "s20" not in text(found)
    assert "… and 5 more (--all names them)" in text(found)
    assert "s24" in text(found, most=None)


def test_hostile_reasons_are_shown_escaped() -> None:
    found = lacking(Missing("d", "dead_lettered", message("d", reason="\x1b[2J", description="\u202e\n")))
    assert all(character.isprintable() or character == "\n" for character in text(found))
    assert r"\x1b[2J" in text(found)


@pytest.mark.parametrize(
    ("found", "done", "short"),
    [
        (SOUND, None, False),
        (SOUND, Repaired((), (), 0), False),
        (lacking(Missing("l", "lost")), None, True),
        (lacking(Missing("l", "lost")), Repaired(("l",), (), 0), False),
        (lacking(Missing("l", "lost"), Missing("n", "never_sent")), Repaired(("l",), ("n",), 0), True),
        (lacking(untold=("a",)), None, True),
        (lacking(untold=("a",)), Repaired((), (), 1), False),
        (lacking(Missing("d", "dead_lettered", message("d"))), Repaired((), (), 0), True),
    ],
)
def test_it_falls_short_when_something_is_missing_that_was_not_repaired(
    found: Comparison, done: Repaired | None, *, short: bool
) -> None:
    assert is_short(found, done) is short


def test_what_could_not_be_repaired_is_named_with_what_to_do() -> None:
    seen = text(lacking(Missing("n", "never_sent")), Repaired((), ("n",), 0))
    assert "not repaired: 1 job," in seen
    assert "run the jsworker submit again" in seen
    assert "--repair" not in seen


def test_the_document_names_every_job_and_is_json() -> None:
    found = lacking(
        *(Missing(f"s{number}", "lost") for number in range(99)), Missing("w", "waiting", message("w"))
    )
    seen = json.loads(json.dumps(document("hw1", found, Repaired(("s1",), (), 2))))
    assert len(seen["missing"]) == 100
    assert seen["counts"] == {"waiting": 1, "scheduled": 0, "dead_lettered": 0, "lost": 99, "never_sent": 0}
    assert seen["missing"][-1]["message_id"] == "hw1/w"
    assert seen["repaired"] == {"sent": ["s1"], "unrecorded": [], "progress_lines": 2}
