"""What differs between generations: of each submission, and in all."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.unit.batch.graded import FOLDER, Course
from worker.batch import BatchError
from worker.changes import Difference, difference, seen, unstable
from worker.cli import differences
from worker.cli.diff import pair, report_unstable
from worker.generations import change_generations
from worker.regrading import Request
from worker.views import generation


async def compared(course: Course, *numbers: int) -> Difference:
    before, after = await pair(course.blobs, FOLDER, numbers)
    return difference(await seen(course.blobs, before), await seen(course.blobs, after))


async def two(before: dict[str, str], after: dict[str, str]) -> Course:
    """A batch, and a generation 2 of some of its jobs."""
    course = Course()
    await course.graded(**before)
    (begun,) = await course.regrade(Request(only=tuple(after)))
    await course.grade(begun.batch, **after)
    return course


async def test_jobs_whose_verdict_or_points_are_others_are_named() -> None:
    before = {"a": "accepted", "b": "partial:1", "c": "partial:1", "d": "wrong_answer"}
    course = await two(before, before | {"b": "partial:1.5", "d": "accepted"})
    found = await compared(course, 1, 2)
    changes = [(each.id, each.name, each.before, each.after, each.gain) for each in found.changes]
    assert changes == [
        ("b", "student b", "partial", "partial", 0.5),
        ("d", "student d", "wrong_answer", "accepted", 1.0),
    ]
    assert found.matrix == {
        ("accepted", "accepted"): 1, ("partial", "partial"): 2, ("wrong_answer", "accepted"): 1,
    }  # fmt: skip
    assert [(total.accepted, total.points, total.of) for total in found.totals] == [(1, 3, 8), (2, 4.5, 8)]


async def test_a_generation_of_some_jobs_is_compared_on_these() -> None:
    course = await two({"a": "accepted", "b": "wrong_answer"}, {"b": "accepted"})
    found = await compared(course, 1, 2)
    assert ([each.id for each in found.changes], found.matrix.total()) == (["b"], 1)
    assert (found.only_before, found.only_after) == (("a",), ())
    assert found.totals[0].jobs == 1


async def test_what_the_platform_failed_or_has_not_run_has_no_points() -> None:
    course = await two({"a": "accepted", "b": "accepted"}, {"a": "infrastructure_failed"})
    (each,) = (await compared(course, 1, 2)).changes
    assert (each.after, each.points_after, each.gain) == ("infrastructure_failed", None, None)
    await course.submit("c")
    await course.regrade()
    words = {change.id: change.after for change in (await compared(course, 1, 3)).changes}
    assert words == {"a": "no_result", "b": "no_result"}


async def test_by_default_what_counts_is_compared_with_the_newest() -> None:
    course = await two({"a": "wrong_answer"}, {"a": "accepted"})
    assert [view.numbers for view in await pair(course.blobs, FOLDER, ())] == [(1,), (2,)]
    await change_generations(
        course.blobs, FOLDER, lambda record: record.promoted(2, record.generations[0].created_at)
    )
    assert [view.numbers for view in await pair(course.blobs, FOLDER, (1,))] == [(2,), (1,)]
    with pytest.raises(BatchError, match="generation 2 of 'hw1' is what counts"):
        await pair(course.blobs, FOLDER, ())


async def test_the_table_has_changes_matrix_and_totals() -> None:
    course = await two({"a": "accepted", "b": "wrong_answer"}, {"b": "accepted"})
    text = "\n".join(differences.table("hw1", await compared(course, 1, 2)))
    assert "b   wrong_answer           accepted               0 -> 1            student b" in text
    assert "BEFORE / AFTER  accepted\nwrong_answer           1" in text
    assert "generation 1: 1 result, 0 accepted, 0 of 2 points" in text
    assert "only in generation 1: 1 (a)" in text


async def test_names_in_a_table_or_a_spreadsheet_do_nothing() -> None:
    course = Course()
    hostile = "=cmd|' /C calc'!A0\x1b[31m"
    await course.submit("a", metadata={})
    manifest = course.blobs.text("results/hw1/_batch/manifest.jsonl")
    renamed = manifest.replace('"student a"', json.dumps(hostile)).encode()
    await course.blobs.put("results/hw1/_batch/manifest.jsonl", renamed)
    await course.grade(a="wrong_answer")
    (begun,) = await course.regrade()
    await course.grade(begun.batch, a="accepted")
    found = await compared(course, 1, 2)
    assert "\\x1b[31m" in "\n".join(differences.table("hw1", found))
    out = io.StringIO()
    differences.write_csv(found, out)
    (row,) = csv.DictReader(io.StringIO(out.getvalue()))
    assert (row["name"], row["gain"]) == (f"'{hostile}", "1")


async def test_the_document_has_all_of_it() -> None:
    course = await two({"a": "accepted", "b": "wrong_answer"}, {"b": "accepted"})
    document = json.loads(json.dumps(differences.document("hw1", await compared(course, 1, 2))))
    assert document["before"] == {
        "generations": [1], "jobs": 1, "graded": 1, "accepted": 0, "points": 0, "of": 2,
    }  # fmt: skip
    assert document["matrix"] == [{"before": "wrong_answer", "after": "accepted", "jobs": 1}]
    assert (document["changed"][0]["id"], document["only_before"]) == ("b", ["a"])


async def runs(course: Course, *graded: dict[str, str]) -> list[int]:
    series = await course.regrade(Request(runs=len(graded)))
    for each, verdicts in zip(series, graded, strict=True):
        await course.grade(each.batch, **verdicts)
    return [each.number for each in series]


async def test_programs_that_are_not_always_graded_alike_are_named_with_the_cases_that_vary() -> None:
    course = Course()
    await course.graded(a="accepted", b="accepted", c="accepted")
    numbers = await runs(
        course,
        {"a": "accepted", "b": "accepted", "c": "accepted"},
        {"a": "accepted", "b": "time_limit", "c": "infrastructure_failed"},
        {"a": "accepted", "b": "accepted", "c": "accepted"},
    )
    views = [await seen(course.blobs, await generation(course.blobs, FOLDER, number)) for number in numbers]
    (each,) = await unstable(course.blobs, views)
    assert each.verdicts == ((2, "accepted", 1.0), (3, "time_limit", 0.0), (4, "accepted", 1.0))
    assert each.cases == {"adds": ("accepted", "time_limit")}


async def test_cases_that_vary_under_one_verdict_are_seen() -> None:
    course = Course()
    await course.graded(a="accepted", b="accepted")
    numbers = await runs(
        course,
        {"a": "partial:1:time_limit", "b": "partial:1:time_limit"},
        {"a": "partial:1:wrong_answer", "b": "partial:1:time_limit"},
    )
    views = [await seen(course.blobs, await generation(course.blobs, FOLDER, number)) for number in numbers]
    (each,) = await unstable(course.blobs, views)
    assert (each.id, each.cases) == ("a", {"adds": ("time_limit", "wrong_answer")})


async def test_what_was_not_graded_in_a_run_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    course = Course()
    await course.graded(a="accepted", b="accepted")
    numbers = await runs(
        course, {"a": "accepted", "b": "wrong_answer"}, {"a": "infrastructure_failed", "b": "accepted"}
    )
    out = io.StringIO()
    assert await report_unstable(course.blobs, FOLDER, numbers, out) == 1
    heading, line = out.getvalue().splitlines()
    assert heading == "ID  VERDICTS                      CASES THAT VARY"
    assert line == "b   wrong_answer x1, accepted x1  adds: wrong_answer, accepted"
    assert capsys.readouterr().err.splitlines() == [
        "hw1: 1 job not graded alike in generations 2, 3",
        "  generation 3 has not graded 1 job: a",
    ]
    for form in ("json", "csv"):
        out = io.StringIO()
        await report_unstable(course.blobs, FOLDER, numbers, out, form)
        assert "wrong_answer" in out.getvalue()
