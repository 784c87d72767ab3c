"""The checker finds each fault that is planted in a history, and nothing in one without fault."""

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.checker import check, duplicates, overlaps, repeatable
from tests.chaos.records import DeadLetter, Execution, Expected, Records

MOST = 5
BAD_BODY = DeadLetter(7, None, "invalid_json")
POISON = DeadLetter(4, "poison", "code_not_found")


def result(job: str, status: str = "succeeded", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - a result's own
    return {"id": job, "status": status, "attempts": 1, "stdout": {"text": f"{job}\n"}, **fields}


def line(job: str, status: str = "succeeded") -> dict[str, Any]:
    return {"id": job, "status": status, "attempts": 1}


def history(**changes: Any) -> Records:  # noqa: ANN401 - a record's own
    """Two healthy jobs, one that cannot run, and a message without a name: all went as it must."""
    etags = {"a": "1", "b": "2", "poison": "3", "message-7": "4"}
    good = Records(
        expected={
            "a": Expected("succeeded", "a\n"),
            "b": Expected("failed", exit_code=3),
            "poison": Expected("rejected", healthy=False),
        },
        nameless=1,
        results={
            "a": result("a"),
            "b": result("b", "failed", exit_code=3),
            "poison": result("poison", "rejected"),
            "message-7": result("message-7", "rejected"),
        },
        sightings=({"a": "1"}, {"a": "1", "b": "2"}),
        etags=etags,
        lines=(
            line("a"),
            line("a"),
            line("b", "failed"),
            line("poison", "rejected"),
            line("message-7", "rejected"),
        ),
        dead_letters=(POISON, BAD_BODY),
        executions=(Execution("a", 1.0, 2.0, 200), Execution("b", 1.0, 2.0, 200)),
        sampled=(0, MOST, 3),
        exits=(("worker-1", 0),),
    )
    return replace(good, **changes)


def without(job: str) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in history().results.items() if name != job}  # type: ignore[misc] # copied


def with_result(job: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - a result's own
    return {**history().results, job: {**history().results.get(job, {}), **fields}}


PLANTED = {
    "no job is lost": [
        history(results=without("a"), lines=history().lines[2:]),
        history(nameless=2),
    ],
    "no result without a job": [
        history(results=with_result("ghost", id="ghost"), lines=(*history().lines, {"id": "ghost"})),
        history(nameless=0),
    ],
    "no result ever changes": [
        history(sightings=({"a": "0"}, {"a": "1"})),
        history(sightings=({"a": "1"}, {"a": "0"}, {"a": "1"})),
        history(sightings=({"gone": "9"},)),
    ],
    "each result is the program's": [
        history(expected={**history().expected, "a": Expected("succeeded", "another's\n")}),
        history(expected={**history().expected, "a": Expected("timed_out")}),
        history(expected={**history().expected, "b": Expected("failed", exit_code=4)}),
    ],
    "the progress lines tell the results and nothing else": [
        history(lines=(*history().lines, line("a", "failed"))),
        history(lines=(*history().lines, {**line("a"), "attempts": 2})),
        history(lines=(*history().lines, line("ghost"))),
    ],
    "the progress lines tell all results": [history(lines=history().lines[2:])],
    "no healthy job is given up": [
        history(dead_letters=(*history().dead_letters, DeadLetter(9, "a", "MaxDeliveryCountExceeded"))),
        history(results=with_result("a", error={"code": "attempts_exhausted", "message": "5 times"})),
    ],
    "each dead letter has a result": [
        history(dead_letters=(*history().dead_letters, DeadLetter(9, None, "TTLExpiredException"))),
        history(
            results=without("poison"),
            expected={name: history().expected[name] for name in "ab"},
            lines=history().lines[:3] + history().lines[4:],
        ),
    ],
    "no message is left": [history(waiting=("a.r1-4",))],
    "no session is left": [history(sessions=("jsw-1234abcd-001-x",))],
    "no permit is left": [history(permits=("_deployment/permits/abc/001",))],
    "never more sessions than the bound": [history(sampled=(0, MOST + 1)), history(sampled=())],
    "each worker that is asked to stop ends with status 0": [
        history(exits=(("worker-1", 0), ("worker-2", 1))),
        history(exits=(("worker-1", None),)),
    ],
    "no worker fails in a way of its own": [history(defects={"job_failed_unexpectedly": 1})],
}


def test_a_history_without_fault_passes() -> None:
    assert check(history(), most_sessions=MOST) == []


@pytest.mark.parametrize(
    ("rule", "planted"),
    [(rule, planted) for rule, histories in PLANTED.items() for planted in histories],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_fault_is_found_and_named(rule: str, planted: Records) -> None:
    assert rule in {broken.rule for broken in check(planted, most_sessions=MOST)}


def test_every_rule_has_a_planted_fault() -> None:
    everything_wrong = Records(
        expected={"a": Expected("succeeded"), "c": Expected("rejected", healthy=False)},
        results={"c": result("c", "failed"), "ghost": result("ghost")},
        sightings=({"c": "1"},),
        etags={"c": "2"},
        lines=(line("ghost", "failed"),),
        dead_letters=(DeadLetter(1, "a", "MaxDeliveryCountExceeded"),),
        waiting=("a",),
        sessions=("jsw-x",),
        permits=("p",),
        sampled=(9,),
        exits=(("worker-1", 1),),
        defects={"slot_ended_badly": 1},
    )
    assert [broken.rule for broken in check(everything_wrong, most_sessions=MOST)] == list(PLANTED)


def test_what_may_have_been_sent_once_more_is_no_unexpected_result() -> None:
    twice = history(
        results=with_result("message-8", id="message-8", status="rejected"),
        lines=(*history().lines, {"id": "message-8"}),
    )
    rules = [broken.rule for broken in check(twice, most_sessions=MOST)]
    assert rules == ["no result without a job"]
    assert check(replace(twice, uncertain=1), most_sessions=MOST) == []


def test_the_evidence_names_a_few_and_counts_all() -> None:
    lost = {f"s{number}": Expected("succeeded") for number in range(20)}
    (broken,) = check(history(expected={**history().expected, **lost}), most_sessions=MOST)
    assert broken.evidence.startswith("20: s0; s1; ")
    assert broken.evidence.endswith("and 12 more")


def test_what_counts_twice_is_neither_turned_away_nor_poison_nor_sent_twice() -> None:
    again = {**history().expected, "c": Expected("succeeded", once=False)}
    executions = (
        Execution("a", 1.0, 2.0, 429),
        Execution("a", 3.0, 4.0, None),
        Execution("a", 5.0, 6.0, 200),
        Execution("b", 5.0, 6.0, 200),
        *(Execution(job, start, start + 1, 200) for job in ("poison", "c") for start in (1.0, 3.0)),
    )
    assert duplicates(repeatable(history(expected=again, executions=executions))) == 1


@pytest.mark.parametrize(
    ("spans", "found"),
    [
        ([("a", 1.0, 2.0), ("a", 2.0, 3.0)], 0),
        ([("a", 1.0, 2.5), ("a", 2.0, 3.0)], 1),
        ([("a", 1.0, 9.0), ("a", 2.0, 3.0), ("a", 4.0, 5.0)], 2),
        ([("a", 1.0, 2.5), ("b", 2.0, 3.0)], 0),
        ([("a", 1.0, None), ("a", 1.5, 3.0)], 0),
    ],
)
def test_two_executions_of_one_job_at_one_time_overlap(
    spans: list[tuple[str, float, float | None]], found: int
) -> None:
    assert overlaps([Execution(job, began, ended) for job, began, ended in spans]) == found
