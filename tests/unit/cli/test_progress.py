from __future__ import annotations

from typing import TYPE_CHECKING

from worker.cli.progress import show
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
