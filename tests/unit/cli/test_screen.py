"""What top shows of a look."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from worker.cli.looking import Look, Queue, Stack
from worker.cli.screen import view
from worker.gauges import Gauges, PermitGauges, SessionGauges, SlotGauges
from worker.recent import Ended, Phase, Rates
from worker.status import Status

AT = datetime(2025, 1, 1, 12, tzinfo=UTC)
GAUGES = Gauges(
    slots=SlotGauges(open=15, busy=11),
    permits=PermitGauges(held=10, limit=7, in_use=6, waiting=4),
    sessions=SessionGauges(allocated=9, busy=5, kept=3, quarantined=1),
    breakers={"receiving": False, "services": False},
    ready=True,
    reasons=(),
)
HOSTILE = "\x1b]0;owned\x07\x1b[2J[red]x[/red]\u202e\x9b"


def ended(job_id: str, batch: str = "hw1", verdict: str | None = "wrong_answer") -> Ended:
    return Ended(job_id, batch, "succeeded", verdict, {"queued": 12.4, "execute": 1234}, AT)


def status(*recent: Ended, gauges: Gauges = GAUGES, instance: str = "here") -> Status:
    rates = Rates(3, {"succeeded": 2, "infrastructure_failed": 1}, 1.5, 0.05, (0,) * 59 + (3,))
    phases = {"queued": Phase(3, 12.4, 90000), "execute": Phase(3, 1234, 150000)}
    return Status(
        version="1.2.3",
        instance=instance,
        started_at=AT.replace(day=1, hour=0),
        at=AT.replace(day=2),
        gauges=gauges,
        rates=rates,
        phases=phases,
        recent=recent,
    )


def shown(look: Look, width: int = 80, height: int | None = None, *, is_terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=is_terminal)
    console.print(view(look, console, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_all_that_a_worker_tells_is_shown(width: int) -> None:
    stack = Stack((Queue("jobs", 1234, 5, 6),), sessions=7, max_sessions=20)
    text = shown(Look(status(ended("a"), ended("b", verdict=None)), stack), width)
    for part in (
        "here  jsworker 1.2.3",
        "up 1 d 12:00:00",
        "  ready\n",
        "slots: 11 of 15 busy",
        "permits: 6 of 10 in use",
        "limit: 7",
        "4 waiting for one",
        "sessions: 9 allocated",
        "5 busy, 3 kept",
        "1 being deleted",
        "no breaker open",
        "jobs: 3 ended",
        "1.5/s in 10 seconds",
        "0.1/s in a minute",
        "12 ms",
        "1.23 s",
        "90.00 s",
        "150 s",
        "1,234",
        "pool: 7 of 20 sessions allocated",
        "wrong answer",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) == width


def test_nothing_a_job_is_called_acts_on_the_terminal_or_is_read_as_markup() -> None:
    hostile = replace(GAUGES, ready=False, reasons=(HOSTILE,), breakers={HOSTILE: True})
    stack = Stack((Queue(HOSTILE, 0, 0, 0),), troubles=(HOSTILE,))
    job = replace(ended(HOSTILE, HOSTILE, HOSTILE), status=HOSTILE)
    document = status(job, gauges=hostile, instance=HOSTILE)
    text = shown(Look(document, stack, trouble=HOSTILE), 400, is_terminal=False)
    assert set(text) & set("\x1b\x07\u202e\x9b") == set()
    assert text.count("[red]x[/red]") >= 8
    coloured = shown(Look(document, stack, trouble=HOSTILE), 400, is_terminal=True)
    assert "\x1b]0" not in coloured
    assert "\x1b[2J" not in coloured
    assert "\x07" not in coloured


def test_as_many_jobs_are_shown_as_there_is_room_for() -> None:
    look = Look(status(*(ended(f"job-{number}") for number in range(32))))
    lines = shown(look, 80, 24).splitlines()
    assert len(lines) == 24
    assert any("job-0 " in line for line in lines)
    assert not any("job-31 " in line for line in lines)
    assert "job-0 " not in shown(look, 80, 12)
    assert "job-31 " in shown(look, 80)


def test_a_worker_that_is_not_reachable_any_more_is_shown_as_it_was_last_seen() -> None:
    text = shown(Look(status(), trouble="no worker answers", lost_at=AT))
    assert "not reachable since 12:00:00: no worker answers" in text
    assert "slots: 11 of 15 busy" in text


def test_reasons_stand_at_the_top_and_do_not_fill_the_screen() -> None:
    reasons = tuple(f"slot {number}: silent" for number in range(40))
    lines = shown(Look(status(gauges=replace(GAUGES, ready=False, reasons=reasons)))).splitlines()
    assert lines[0].endswith("not ready")
    assert [line.strip() for line in lines[1:6]] == [*reasons[:4], "and 36 more"]


def test_a_stack_without_a_worker_is_shown_with_why_and_what_is_not_known_of_it() -> None:
    text = shown(Look(stack=Stack(sessions=0, max_sessions=2, troubles=("no counts",)), trouble="no worker"))
    assert text.startswith("no worker")
    assert "pool: 0 of 2 sessions allocated" in text
    assert "no counts" in text


def test_a_narrow_terminal_names_each_job_and_what_came_of_it() -> None:
    long = ended("b", verdict=None).status
    text = shown(Look(status(ended("the-first-job", verdict="wrong_answer"), ended("b", verdict=None))), 40)
    rows = [line.strip("│ ").split() for line in text.splitlines() if "first-job" in line or " b " in line]
    assert rows == [["the-first-job", "wrong", "answer"], ["b", long]]


def test_a_narrow_terminal_has_the_panels_one_under_the_other() -> None:
    lines = shown(Look(status()), 40).splitlines()
    assert max(map(len, lines)) == 40
    assert sum("╭" in line for line in lines) == 4
    assert all(line.count("╭") <= 1 for line in lines)
