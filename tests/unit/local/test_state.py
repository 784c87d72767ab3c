"""The state directory of a local stack: who holds it, and what it keeps."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.local.process import Process
from worker.local.state import StateDirectory, write_private
from worker.local.supervised import StackError


def test_a_directory_nobody_holds_has_no_holder_and_no_environment(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "never made")
    assert state.holder() is None
    assert state.environment() is None


def test_the_holder_is_known_while_it_holds(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    with state.held():
        assert state.holder() == Process.of(os.getpid())
    assert state.holder() is None


def test_the_environment_is_there_from_the_record_to_the_end(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    with state.held():
        assert state.environment() is None
        state.record({"broker": 1}, {"broker": os.getpid()}, {"NAME": "value"})
        assert state.environment() == {"NAME": "value"}
    assert state.environment() is None


def test_what_a_killed_holder_left_is_not_taken_for_a_running_stack(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    write_private(tmp_path / "stack.lock", json.dumps({"pid": os.getpid(), "start_time": "1"}))
    write_private(tmp_path / "stack.json", json.dumps({"environment": {"NAME": "value"}}))
    assert state.holder() is None
    assert state.environment() is None
    with state.held():
        assert not (tmp_path / "stack.json").exists()


def test_a_second_holder_is_refused(tmp_path: Path) -> None:
    with StateDirectory(tmp_path).held():
        with pytest.raises(StackError, match=f"process {os.getpid()}"), StateDirectory(tmp_path).held():
            pass
        assert StateDirectory(tmp_path).holder()


def test_a_key_is_random_private_and_stays(tmp_path: Path) -> None:
    first, other = (StateDirectory(tmp_path / name).key("pool") for name in ("a", "b"))
    assert len(base64.b64decode(first.read_text())) == 48
    assert first.read_text() != other.read_text()
    assert StateDirectory(tmp_path / "a").key("pool").read_text() == first.read_text()
    assert first.stat().st_mode & 0o777 == 0o600


def test_queues_of_ones_own_are_kept_and_the_first_is_used(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    write_private(state.queues_file, '{"queues": [{"name": "mine"}, {"name": "other"}]}')
    with state.held():
        assert state.queue() == "mine"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"queues": []}', '{"queues": [{}]}', '{"queues": null}'])
def test_a_file_without_a_queue_is_told(tmp_path: Path, text: str) -> None:
    state = StateDirectory(tmp_path)
    write_private(state.queues_file, text)
    with pytest.raises(StackError, match=r"queues\.json declares no queue"):
        state.queue()


def test_a_file_cut_short_by_a_kill_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"broker": 12')
    assert StateDirectory(tmp_path).port("broker") == 0


def test_a_process_is_itself_until_it_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = Process.of(child.pid)
        assert process
        assert process.is_running
        process.end(grace_seconds=5)
        assert not process.is_running  # a zombie by now: nobody has waited for it yet
        process.end(grace_seconds=0)
    assert Process.of(child.pid) is None


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); input()"
    command = [sys.executable, "-c", deaf]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:  # noqa: S603 - ours
        assert child.stdout
        child.stdout.readline()
        process = Process.of(child.pid)
        assert process
        process.end(grace_seconds=0.1)
        assert not process.is_running
