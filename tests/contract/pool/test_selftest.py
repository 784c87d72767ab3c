import fcntl
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.pool.service import TOKEN
from worker.local.pool import PoolConfig
from worker.local.pool.errors import StartError
from worker.local.pool.kernel import server_source
from worker.local.pool.sandbox import Launch, Sandbox, Unconfined, environment, start
from worker.local.pool.selftest import attack
from worker.local.pool.session import Launcher
from worker.local.pool.warm import end

SETTINGS = PoolConfig(token=TOKEN)
SOURCE = server_source(SETTINGS.nel)


@dataclass
class Careless:
    """Gives a kernel its channel under a number that Node keeps open in programs."""

    tier = "none"

    def launch(self, channel: int, uid: int | None) -> Launch:
        del uid
        home = Path(tempfile.mkdtemp())
        high = fcntl.fcntl(channel, fcntl.F_DUPFD, 40)
        env = environment(high, home=str(home), data=str(home))
        try:
            popen = start([str(SETTINGS.node), "--eval", SOURCE], fds=[high], env=env, cwd=str(home))
        finally:
            os.close(high)
        return Launch(popen, None, home)


async def breaches(sandbox: Sandbox) -> str:
    launcher = Launcher(sandbox, SETTINGS.limits)
    session = await launcher.start()
    try:
        with pytest.raises(StartError) as refusal:
            await attack(session)
        return str(refusal.value)
    finally:
        await end(session)
        launcher.close()


async def test_the_attack_list_finds_its_way_out_of_an_unconfined_session() -> None:
    found = await breaches(Unconfined(SETTINGS.node, SOURCE, SETTINGS.limits))
    for way in ("the host's loopback", "processes outside", "run another program", "make any system call"):
        assert way in found
    assert "the kernel's descriptors" not in found


async def test_the_attack_list_finds_a_channel_that_programs_hold_too() -> None:
    assert "the kernel's descriptors in a program that it starts (socket:" in await breaches(Careless())
