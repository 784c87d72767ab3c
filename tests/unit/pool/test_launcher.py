import asyncio
import errno
import os
from pathlib import Path

import pytest

from worker.local.pool.config import Limits
from worker.local.pool.errors import StartError
from worker.local.pool.sandbox import Launch
from worker.local.pool.session import Launcher
from worker.local.pool.uids import SIZE


class NoProcessLeft:
    tier = "none"

    def launch(self, channel: int, uid: int | None) -> Launch:
        raise OSError(errno.EAGAIN, f"no process for {channel} and {uid}")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_session_that_the_machine_has_no_process_for_keeps_nothing() -> None:
    launcher = Launcher(NoProcessLeft(), Limits())
    try:
        held = descriptors()
        for _ in range(SIZE + 1 if os.geteuid() == 0 else 1):  # more than there are user ids
            with pytest.raises(StartError, match="no process for"):
                await launcher.start()
        async with asyncio.timeout(10):
            while descriptors() > held:  # noqa: ASYNC110 - transports close a turn later and tell nobody
                await asyncio.sleep(0)
    finally:
        launcher.close()
