"""A child process of the local stack: ready, failed, dead, stopped."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from worker.local.process import Process
from worker.local.supervised import Child, Command, StackError

Make = Callable[..., Command]


async def test_a_child_is_ready_when_it_says_so_and_answers(command: Make) -> None:
    child = await Child.start(command())
    try:
        assert child.port > 0
        assert child.ready["endpoint"] == f"http://127.0.0.1:{child.port}"
    finally:
        await child.stop()


@pytest.mark.parametrize(
    ("habit", "reason"),
    [
        ("fails", "exit status 1"),
        ("fails", "there is no room for me"),
        ("nonsense", "did not start (nonsense)"),
        ("garbles", "answers b'http/1.', which is another protocol"),
    ],
)
async def test_a_child_that_does_not_start_is_told_with_the_reason(
    command: Make, habit: str, reason: str
) -> None:
    with pytest.raises(StackError) as caught:
        await Child.start(command(habit))
    assert reason in str(caught.value)
    assert str(command().log) in str(caught.value)


async def test_a_program_that_does_not_exist_is_told(command: Make) -> None:
    with pytest.raises(StackError, match="stand-in"):
        await Child.start(replace(command(), arguments=("/does/not/exist",)))


async def test_a_child_that_dies_is_told_with_how(command: Make) -> None:
    child = await Child.start(command())
    try:
        os.kill(child.pid, signal.SIGKILL)
        async with asyncio.timeout(5):
            assert "The stand-in ended (killed by SIGKILL)" in str(await child.ended())
    finally:
        await child.stop()


async def test_a_child_that_ignores_sigterm_is_killed(command: Make) -> None:
    child = await Child.start(command("deaf"))
    process = Process.of(child.pid)
    started = time.monotonic()
    await child.stop()
    assert process
    assert not process.is_running
    assert time.monotonic() - started < 5


async def test_stopping_twice_does_no_harm(command: Make) -> None:
    child = await Child.start(command())
    await child.stop()
    await child.stop()


async def test_a_child_cancelled_while_it_starts_is_stopped(command: Make) -> None:
    silent = replace(command(), arguments=(sys.executable, "-c", "import time; time.sleep(60)"))
    starting = asyncio.create_task(Child.start(silent))
    await asyncio.wait([starting], timeout=0.2)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


async def test_a_child_that_prints_more_than_its_first_line_is_not_held_up(command: Make) -> None:
    chatty = "import sys; [print('x' * 1000) for _ in range(1000)]; sys.exit(3)"
    program = f'print(\'{{"ready": true, "port": %d}}\', flush=True); {chatty}'
    greeter = await Child.start(command())
    try:
        child = await Child.start(
            replace(command(), arguments=(sys.executable, "-c", program % greeter.port))
        )
        async with asyncio.timeout(10):
            assert "exit status 3" in str(await child.ended())
        await child.stop()
    finally:
        await greeter.stop()
