"""Workers beside a local stack, told of in its state directory."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from worker.local.process import Process
from worker.local.workers import ports, tell_of, withdraw

if TYPE_CHECKING:
    from pathlib import Path


def record(state: Path, name: str, **fields: object) -> Path:
    folder = state / "workers"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(fields))
    return file


def test_a_worker_is_found_by_its_port_until_it_is_withdrawn(tmp_path: Path) -> None:
    assert ports(tmp_path / "state") == []
    tell_of(tmp_path / "state", 4711)
    assert ports(tmp_path / "state") == [4711]
    withdraw(tmp_path / "state")
    withdraw(tmp_path / "state")
    assert ports(tmp_path / "state") == []


def test_the_one_that_was_started_last_comes_first(tmp_path: Path) -> None:
    parent = Process.of(os.getppid())
    assert parent
    other = record(tmp_path, "other", **vars(parent), port=1)
    tell_of(tmp_path, 2)
    os.utime(other, (1, 1))
    assert ports(tmp_path) == [2, 1]
    os.utime(other, (1 << 33, 1 << 33))
    assert ports(tmp_path) == [1, 2]


def test_what_a_killed_worker_left_is_not_believed_and_goes(tmp_path: Path) -> None:
    left = record(tmp_path, "left", pid=os.getpid(), start_time="of another with this pid", port=1)
    (tmp_path / "workers" / "cut.json").write_text('{"pid": ')
    assert ports(tmp_path) == []
    tell_of(tmp_path, 2)
    assert ports(tmp_path) == [2]
    assert not left.exists()
