"""The real stack as a program: in the background, killed, told to stop, stopped by the death of a part."""

import asyncio
import json
import os
import signal
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from worker.local.background import running, start_in_background, stop
from worker.local.config import StackConfig
from worker.local.process import Process
from worker.local.roles import MODULE_PATH, PYTHON
from worker.local.supervised import StackError


def config(state_dir: Path) -> StackConfig:
    return StackConfig(state_dir=state_dir, max_sessions=1, spares=0, unsafe_no_sandbox=True)


def processes(state_dir: Path) -> tuple[Process, list[Process]]:
    """The supervisor and its children."""
    record = json.loads((state_dir / "stack.json").read_text())
    supervisor = Process.of(record["pid"])
    assert supervisor
    return supervisor, [Process(**child) for child in record["children"].values()]


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@contextmanager
def stopped_at_the_end(state_dir: Path) -> Iterator[None]:
    try:
        yield
    finally:
        stop(state_dir)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def test_up_and_down(tmp_path: Path) -> None:
    with stopped_at_the_end(tmp_path):
        environment = start_in_background(config(tmp_path))
        assert running(tmp_path) == environment
        supervisor, children = processes(tmp_path)
        with pytest.raises(StackError, match=f"process {supervisor.pid}"):
            start_in_background(config(tmp_path))
        assert running(tmp_path) == environment
        assert stop(tmp_path)
        assert not any(process.is_running for process in [supervisor, *children])
        assert running(tmp_path) is None
        assert not stop(tmp_path)


def test_nothing_outlives_kill_9_and_the_next_run_has_the_same_environment(tmp_path: Path) -> None:
    with stopped_at_the_end(tmp_path):
        environment = start_in_background(config(tmp_path))
        supervisor, children = processes(tmp_path)
        os.kill(supervisor.pid, signal.SIGKILL)
        wait_until(lambda: not any(process.is_running for process in [supervisor, *children]), seconds=2)
        assert running(tmp_path) is None
        assert start_in_background(config(tmp_path)) == environment


def test_the_reason_why_it_does_not_come_up_is_told(tmp_path: Path) -> None:
    (tmp_path / "queues.json").write_text('{"queues": [{"name": "jobs", "lock": 60}]}')
    with (
        stopped_at_the_end(tmp_path),
        pytest.raises(StackError, match=r"(?s)broker did not start.*queues\.0\.lock"),
    ):
        start_in_background(config(tmp_path))
    assert running(tmp_path) is None


async def starting_in_foreground(state_dir: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *PYTHON,
        "worker.local.stack",
        *config(state_dir).arguments(),
        env={**os.environ, **MODULE_PATH},
        stderr=PIPE,
    )


async def in_foreground(state_dir: Path) -> asyncio.subprocess.Process:
    process = await starting_in_foreground(state_dir)
    await asyncio.to_thread(wait_until, lambda: running(state_dir) is not None, seconds=30)
    return process


async def test_nothing_outlives_kill_9_of_a_stack_that_is_just_starting(tmp_path: Path) -> None:
    """The leak check that follows each test is this test's assertion, too."""
    process = await starting_in_foreground(tmp_path)
    await asyncio.to_thread(wait_until, (tmp_path / "logs" / "broker.log").exists, seconds=10)
    process.kill()
    await process.communicate()
    assert running(tmp_path) is None


async def test_ctrl_c_stops_it_in_order(tmp_path: Path) -> None:
    process = await in_foreground(tmp_path)
    _, children = processes(tmp_path)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(5):
        _, said = await process.communicate()
    assert (process.returncode, said) == (0, b"")
    assert not any(child.is_running for child in children)


async def test_the_death_of_a_part_stops_it_with_status_1_and_the_reason(tmp_path: Path) -> None:
    process = await in_foreground(tmp_path)
    _, children = processes(tmp_path)
    os.kill(children[0].pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        _, said = await process.communicate()
    assert process.returncode == 1
    assert b"ended (killed by SIGKILL)" in said
    assert not any(child.is_running for child in children)
