from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.batch.graded import FOLDER, Course
from worker.cli.progress import show, show_complete
from worker.completion import read_completion
from worker.watching import Progress

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest


async def looks(*batches: str) -> AsyncGenerator[Progress]:
    """A look at a batch of jobs a, b and c after each of some are done."""
    progress = Progress("abc")
    for ids in batches:
        for job_id in ids:
            progress.take(b'{"id": "%s", "status": "timed_out", "verdict": "time_limit"}' % job_id.encode())
        yield progress


async def test_without_a_terminal_progress_is_plain_lines_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await show("hw1", looks("a", "bc"))
    captured = capsys.readouterr()
    assert captured.out == ""
    first, last = captured.err.splitlines()
    assert first == "hw1: 1 of 3 done, 1 time limit"
    assert last.startswith("hw1: 3 of 3 done")
    assert "left" not in last


async def test_what_did_not_change_is_not_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    await show("hw1", looks("", "", "", "", "abc"))
    assert len(capsys.readouterr().err.splitlines()) == 2


async def test_each_job_is_counted_by_its_verdict_or_else_by_its_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    course = Course()
    await course.graded(a="accepted", b="output_limit", c="cancelled")
    await show_complete(course.blobs, FOLDER, ["a", "b", "c"])
    assert capsys.readouterr().err == "hw1: 3 of 3 done, 1 accepted, 1 output limit, 1 cancelled\n"


async def test_whoever_sees_a_batch_complete_puts_it_on_record() -> None:
    course = Course()
    await course.graded(a="accepted")
    await show_complete(course.blobs, FOLDER, ["a"])
    assert await read_completion(course.blobs, FOLDER)
