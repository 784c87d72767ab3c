"""What a worker's log tells of defects, and what of the faults around it."""

import json
from pathlib import Path
from typing import Any

from tests.chaos.logs import NO_EVENT, defects, errors, events, redeliveries


def logged(folder: Path, *lines: dict[str, Any] | str, end: str = "\n") -> list[dict[str, Any]]:
    file = folder / "worker.log"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts) + end)
    return list(events([file]))


def test_failures_of_its_own_tracebacks_and_stray_output_are_defects(tmp_path: Path) -> None:
    found = logged(
        tmp_path,
        {"event": "job_failed_unexpectedly", "level": "error", "exception": "Traceback …"},
        {"event": "progress_lost", "level": "warning", "exception": "Traceback …"},
        {"event": "task_ended_badly", "level": "error"},
        "Traceback (most recent call last):",
        {"event": "breaker_opened", "level": "error"},
        {"event": "job_completed", "level": "info"},
        {"event": "Handler shutting down.", "logger": "azure.servicebus._h", "exception": "Traceback …"},
        {"event": "callback failed", "logger": "asyncio", "exception": "Traceback …"},
    )
    assert defects(found) == {
        "callback failed": 1,
        "job_failed_unexpectedly": 1,
        "progress_lost": 1,
        "task_ended_badly": 1,
        NO_EVENT: 1,
    }
    assert errors(found)["breaker_opened"] == 1


def test_the_last_line_of_a_killed_worker_may_be_cut(tmp_path: Path) -> None:
    assert logged(tmp_path, {"event": "job_completed"}, '{"event": "job_', end="") == [
        {"event": "job_completed"}
    ]


def test_a_redelivery_counts_once_however_many_lines_tell_of_it(tmp_path: Path) -> None:
    delivery = {"sequence_number": 4, "delivery_count": 1}
    lines = [{"event": event, **delivery} for event in ("lock_lost", "job_completed")]
    assert redeliveries(logged(tmp_path, *lines, {"event": "x", **delivery, "delivery_count": 0})) == 1
