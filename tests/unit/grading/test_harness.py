import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from worker.case import Case, CasesFile
from worker.harness import WHOLE_RUN, report_of
from worker.harness import tested as graded
from worker.ran import Ran

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5).filter(
    lambda name: ">" not in name
)
TREES = st.recursive(
    st.booleans(), lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3), max_leaves=12
)
Tree = dict[str, Any] | bool


def line(kind: str, name: str = "", nesting: int = 0, **fields: object) -> str:
    return json.dumps({"type": kind, "name": name, "nesting": nesting, **fields})


READY, END = line("ready"), line("end")


def events(tree: Tree, name: str, nesting: int) -> list[str]:
    """What node:test reports of a tree of tests, whose leaves went well or did not."""
    if isinstance(tree, bool):
        return [line("start", name, nesting), line("pass" if tree else "fail", name, nesting)]
    inner = [event for key in tree for event in events(tree[key], key, nesting + 1)]
    return [line("start", name, nesting), *inner, line("fail", name, nesting, own=False)]


def leaves(tree: Tree, path: tuple[str, ...]) -> dict[str, bool]:
    if isinstance(tree, bool):
        return {" > ".join(path): tree}
    return {key: ok for name in tree for key, ok in leaves(tree[name], (*path, name)).items()}


@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_the_leaves_of_the_tree_of_tests_are_reported_by_their_paths(tree: dict[str, Any]) -> None:
    lines = [event for name in tree for event in events(tree[name], name, 0)]
    report = report_of("\n".join([READY, *lines, END]))
    wanted = {key: ok for name in tree for key, ok in leaves(tree[name], (name,)).items()}
    assert {name: test.ok for name, test in report.tests.items()} == wanted
    assert report.is_ready
    assert report.is_complete


@given(st.lists(st.one_of(st.text(), st.binary().map(repr), st.just(END[:-2]))))
def test_lines_that_make_no_sense_are_passed_over(lines: list[str]) -> None:
    report = report_of("\n".join([*lines, line("pass", "a")]))
    assert set(report.tests) <= {"a"}
    assert not report.is_complete


def told(*lines: str) -> dict[str, bool]:
    return {name: test.ok for name, test in report_of("\n".join(lines)).tests.items()}


def test_a_test_that_is_reported_twice_went_well_if_it_did_each_time() -> None:
    assert told(line("pass", "a"), line("fail", "a"), line("pass", "a")) == {"a": False}
    assert told(line("pass", "b"), line("pass", "b")) == {"b": True}


def test_a_test_with_subtests_counts_when_it_fails_by_itself() -> None:
    inner = [line("start", "outer"), line("start", "inner", 1), line("pass", "inner", 1)]
    assert told(*inner, line("fail", "outer", own=True)) == {"outer > inner": True, "outer": False}
    assert told(*inner, line("fail", "outer", own=False)) == {"outer > inner": True}


def test_tests_that_are_left_out_are_no_cases() -> None:
    assert told(line("pass", "a", skipped=True), line("fail", "b", skipped=True)) == {}


def file(*names: str, **fields: object) -> CasesFile:
    cases = [{"name": name} for name in names]
    document = {"version": 1, "cases": tuple(Case.model_validate(case) for case in cases), **fields}
    return CasesFile.model_validate(document)


def ran(*lines: str, status: str = "succeeded") -> Ran:
    return Ran(status=status, report="\n".join(lines))  # type: ignore[arg-type] # one of the statuses


def test_with_no_list_each_test_has_the_points_of_the_file() -> None:
    results = graded(file(points=2), ran(READY, line("pass", "a"), line("fail", "b", message="why"), END))
    assert [(case.name, case.verdict, case.points, case.of) for case in results] == [
        ("a", "accepted", 2, 2),
        ("b", "wrong_answer", 0, 2),
    ]
    assert results[1].message == "why"


def test_tests_that_the_list_does_not_name_do_not_count() -> None:
    results = graded(file("b"), ran(READY, line("fail", "a"), line("pass", "b"), END))
    assert [(case.name, case.verdict) for case in results] == [("b", "accepted")]


def test_a_run_that_ended_too_early_is_never_accepted() -> None:
    (only,) = graded(file(), ran(READY))
    assert (only.name, only.verdict) == (WHOLE_RUN, "runtime_error")
    first, rest = graded(file(), ran(READY, line("pass", "a"), status="timed_out"))
    assert (first.verdict, rest.name, rest.verdict) == ("accepted", WHOLE_RUN, "time_limit")
    (empty,) = graded(file(), ran(READY, END))
    assert empty.message == "no test was reported"


def test_a_harness_that_was_never_begun_is_not_the_submissions_fault() -> None:
    assert [case.verdict for case in graded(file("a"), ran(status="failed"))] == ["internal_error"]
    assert [case.verdict for case in graded(file(), ran(status="failed"))] == ["internal_error"]
