"""What a job's steps come to when it has ended."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.chains.parents import CODE, parent, step, steps
from worker.chain_names import child_id, message_id
from worker.expansion import Expanded, expanded, joined
from worker.fitting import encoded
from worker.job import parse_job, validate_job
from worker.names import NAME
from worker.result import CollectedFile, Error, FanOut
from worker.steps import Step, with_sources
from worker.trigger import MOST_DEPTH, StepTrigger, Trigger

if TYPE_CHECKING:
    from worker.ended import Parent

names = st.from_regex(NAME.replace("$", r"\Z"), fullmatch=True).filter(lambda name: ".." not in name)
step_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,62}", fullmatch=True)
suffixes = st.none() | st.integers(0, 9999) | st.just("join")
FILE = CollectedFile(path="a/plot.svg", blob="results/b/p/attempts/1/files/000-plot.svg", bytes=3)


def one(document: dict[str, Any], before: Parent, width: int = 1000) -> Expanded:
    (only,) = expanded(steps(document), before, width)
    return only


def errors(made: Expanded) -> list[tuple[str, str | None]]:
    return [(child.error.code, child.error.field) for child in made.children if child.error]


@given(names, names, step_names, suffixes)
def test_every_child_has_a_name_that_is_one(
    batch: str, job_id: str, name: str, suffix: int | str | None
) -> None:
    made = child_id(batch, job_id, name, suffix)
    assert re.fullmatch(NAME, made)
    assert ".." not in made
    assert len(message_id(batch, made)) <= 128


@given(names, st.lists(st.tuples(names, step_names, suffixes), min_size=2, max_size=2, unique=True))
def test_the_children_of_one_parent_have_names_of_their_own(
    batch: str, two: list[tuple[str, str, int | str | None]]
) -> None:
    (parent_id, *_), _ = two
    made = [child_id(batch, parent_id, name, suffix) for _, name, suffix in two]
    assert len(set(made)) == len({(name, suffix) for _, name, suffix in two})


def test_a_name_says_where_it_comes_from_while_there_is_room() -> None:
    assert child_id("b", "p", "plot", 3) == "p.plot.3"
    assert re.fullmatch(r"p{64,}-[0-9a-f]{20}", child_id("b" * 20, "p" * 120, "plot"))
    assert re.fullmatch(r"p\.plot-[0-9a-f]{20}", child_id("b", "p.", "plot"))


def test_a_step_is_given_what_the_job_before_came_to() -> None:
    template = {"code": CODE, "args": ["${result.output.n}", "${job.id}", "${result.files[0].path}"]}
    made = one(
        step(job=template | {"args": [f"{arg}!" for arg in template["args"]]}),
        parent({"n": 3}, files=(FILE,)),
    )
    (child,) = made.children
    assert child.document["args"] == ["3!", "p!", "a/plot.svg!"]
    assert (child.batch, child.id) == ("b", "p.next")
    made_by = validate_job(child.document).trigger
    assert made_by == Trigger(depth=1, step=StepTrigger(parent="b/p", root="b/p", step="next"))
    assert (made.summary.jobs, made.summary.error) == (("p.next",), None)


def test_a_later_job_of_a_chain_knows_the_first_and_is_one_deeper() -> None:
    made_by = Trigger(depth=4, step=StepTrigger(parent="b/o", root="a/first", step="s"))
    (child,) = one(step(), parent(trigger=made_by)).children
    trigger = validate_job(child.document).trigger
    assert trigger
    assert trigger.step
    assert (trigger.depth, trigger.step.root, trigger.step.parent) == (5, "a/first", "b/p")


@pytest.mark.parametrize(
    ("status", "taken"),
    [
        ("succeeded", {"succeeded", "ended"}),
        ("failed", {"failed", "ended"}),
        ("rejected", {"failed", "ended"}),
        ("timed_out", {"failed", "ended"}),
        ("cancelled", {"ended"}),
    ],
)
def test_steps_are_taken_by_how_the_job_ended(status: str, taken: set[str]) -> None:
    wanted = steps(*(step(on, on=on) for on in ("succeeded", "failed", "ended")))
    made = list(expanded(wanted, parent(status=status), 10))
    assert {each.summary.step for each in made if each.summary.started} == taken
    assert {each.summary.step for each in made if each.children} == taken


def test_nothing_follows_what_is_too_deep() -> None:
    before = parent(status="rejected", error=Error(code="chain_too_deep", message="."))
    assert not one(step(on="ended"), before).summary.started


def test_the_deepest_job_is_still_a_job_whose_own_worker_refuses_it() -> None:
    (child,) = one(step(), parent(trigger=Trigger(depth=MOST_DEPTH))).children
    assert validate_job(child.document).trigger


def test_the_steps_of_a_step_wait_until_it_has_ended() -> None:
    later = [step("later", job={"code": CODE, "args": ["${result.output.x}"]})]
    (child,) = one(step(job={"code": CODE, "then": later}), parent()).children
    assert validate_job(child.document).then[0].job["args"] == ("${result.output.x}",)


def test_a_missing_value_makes_a_job_that_says_so_and_whose_failure_is_followed() -> None:
    later = [step("alarm", on="failed")]
    made = one(step(job={"code": CODE, "stdin": "${result.output.x}", "then": later}), parent({"y": 1}))
    (child,) = made.children
    job = validate_job(child.document)
    assert job.trigger
    assert job.trigger.refused
    assert (job.trigger.refused.code, job.trigger.refused.field) == ("template_value_missing", "stdin")
    assert job.then[0].name == "alarm"
    assert made.summary.error == child.error


@pytest.mark.parametrize(
    ("template", "code", "field"),
    [
        ({"args": "${result.output.n}"}, "invalid_job", "args"),
        ({"env": {"A": "${result.output.n}"}}, "invalid_job", "env.A"),
        ({"files": [{"path": "x", "from": "result/other"}]}, "input_missing", "files.0.from"),
        ({"stdin": {"from": "${job.id}"}}, "input_missing", "stdin.from"),
        ({"metadata": {"deep": "${result.output.deep}"}}, "invalid_json", None),
        ({"metadata": {"x": "${to_number('nan')}"}}, "template_invalid", "metadata.x"),
        ({"metadata": {"x": "${&name}"}}, "template_invalid", "metadata.x"),
    ],
)
def test_a_job_that_would_be_none_is_rejected_under_its_own_name(
    template: dict[str, Any], code: str, field: str | None
) -> None:
    deep: Any = 1
    for _ in range(98):
        deep = [deep]
    made = one(step(job={"code": CODE} | template), parent({"n": 3, "deep": deep}))
    assert errors(made) == [(code, field)]
    assert made.children[0].id == "p.next"


def test_a_list_makes_a_job_for_each_item() -> None:
    template = {"code": {"from": "result/${item.file}"}, "args": ["${item.name}", "${to_string(index)}"]}
    items = [{"name": "x", "file": "a/plot.svg"}, {"name": "y", "file": "none"}]
    made = one(step(each="result.output", job=template), parent(items, files=(FILE,)))
    first, second = made.children
    assert (first.id, first.document["args"]) == ("p.next.0", ["x", "0"])
    assert set(first.sources) == {"result/a/plot.svg"}
    assert errors(made) == [("input_missing", "code.from")]
    assert second.id == "p.next.1"
    assert made.summary.jobs == FanOut(first="p.next.0", count=2)
    assert made.fan_in is None


@pytest.mark.parametrize(
    ("each", "code"),
    [
        ("result.output.list", "fan_out_too_wide"),
        ("result.output.nothing", "template_value_missing"),
        ("result.output", "each_no_list"),
        ("keys(job.id)", "template_invalid"),
    ],
)
def test_what_is_no_list_to_go_by_is_told_in_one_job(each: str, code: str) -> None:
    made = one(step(each=each, join={"code": CODE}), parent({"list": [1, 2, 3]}), width=2)
    assert errors(made) == [(code, "each")]
    assert (made.children[0].id, made.summary.jobs, made.fan_in) == ("p.next", ("p.next",), None)


def test_a_batch_that_is_none_is_told_in_the_parents() -> None:
    made = one(step(job={"code": CODE, "batch": "${result.output.x}"}), parent({"x": "a/b"}))
    assert errors(made) == [("invalid_job", "job.batch")]
    assert made.children[0].batch == "b"


def test_jobs_that_are_too_much_together_are_not_made() -> None:
    item = "x" * 1_000_000
    made = one(step(each="result.output", job={"code": CODE, "stdin": "${item}"}), parent([item] * 70))
    assert errors(made) == [("template_too_large", "job")]


def test_a_fan_out_that_is_joined_has_a_record_of_what_is_waited_for() -> None:
    made = one(step(each="result.output", join={"code": CODE, "batch": "sums"}), parent([1, 2, 3]))
    assert made.fan_in
    assert (made.fan_in.count, made.fan_in.children()) == (3, ["p.next.0", "p.next.1", "p.next.2"])
    assert (made.summary.join, made.summary.fan_in) == ("sums/p.next.join", "b/p/chain/1-0-a/next.json")
    made_by = [child.document["trigger"]["step"] for child in made.children]
    assert [(by["index"], by["of"], by["fan_in"]) for by in made_by] == [(n, 3, "1-0-a") for n in range(3)]


def test_the_join_is_given_what_the_fan_out_came_to() -> None:
    template = {"code": CODE, "stdin": "${results[*].output}", "files": [{"path": "all", "from": "results"}]}
    made = one(step(each="result.output", join=template), parent([1]))
    assert made.fan_in
    child = joined(made.fan_in, parent([1]), [{"index": 0, "output": 7}])
    assert errors(Expanded(made.summary, (child,))) == [("invalid_job", "stdin")]
    template["stdin"] = "sum of ${results[*].output}"
    child = joined(
        made.fan_in.model_copy(update={"join": made.fan_in.join.model_copy(update={"job": template})}),
        parent([1]),
        [{"index": 0, "output": 7}],
    )
    assert (child.error, child.document["stdin"], set(child.sources)) == (None, "sum of [7]", {"results"})
    assert child.document["trigger"]["depth"] == 2


def test_an_empty_list_is_joined_at_once() -> None:
    made = one(
        step(each="result.output", join={"code": CODE, "args": ["${to_string(length(results))}"]}), parent([])
    )
    assert [(child.id, child.document["args"]) for child in made.children] == [("p.next.join", ["0"])]
    assert (made.summary.jobs, made.fan_in) == (FanOut(first="p.next.0", count=0), None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
expressions = st.sampled_from(
    [
        "result.output",
        "item",
        "index",
        "result.output[*].a",
        "keys(result.output)",
        "&a",
        "to_number(item)",
        "job",
    ]
).map(lambda text: f"${{{text}}}")
templates = st.dictionaries(
    st.sampled_from(["stdin", "args", "env", "limits", "metadata", "batch", "mode", "collect", "files"]),
    st.recursive(
        expressions | json_values,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["path", "from", "A"]), inner, max_size=2)
        ),
        max_leaves=4,
    ),
    max_size=3,
)


@given(json_values, templates, st.sampled_from([None, "result.output", "values(result.output)"]))
def test_whatever_comes_out_every_child_is_a_job(
    value: Any,  # noqa: ANN401 - any JSON
    template: dict[str, Any],
    each: str | None,
) -> None:
    wanted = [Step(name="next", job={"code": CODE} | template, each=each)]
    for made in expanded(wanted, parent(value), 10):
        for child in made.children:
            document = with_sources(child.document, lambda _: {"inline": ""})
            assert parse_job(encoded(document)).id == child.id
