import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from worker.local.pool.process import SessionProcess
from worker.local.pool.sandbox import Launch

EXIT_OF_A_THREAD = {"x86_64": 60, "aarch64": 93}
HELD_BYTES = 100 << 20
HIDING = """
import ctypes, threading, time
def hold():
    held = b"x" * {bytes}
    print("held", flush=True)
    time.sleep(60)
threading.Thread(target=hold).start()
input()
ctypes.CDLL(None).syscall({number}, 0)
"""


@pytest.mark.skipif(platform.machine() not in EXIT_OF_A_THREAD, reason="needs the number of a system call")
def test_the_memory_of_a_process_whose_first_thread_is_gone_counts() -> None:
    code = HIDING.format(bytes=HELD_BYTES, number=EXIT_OF_A_THREAD[platform.machine()])
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as process:  # noqa: S603 - ours
        assert process.stdin
        assert process.stdout
        session = SessionProcess(Launch(process, None, None))
        try:
            process.stdout.readline()
            assert session.memory_bytes() > HELD_BYTES
            process.stdin.write(b"\n")
            process.stdin.flush()
            while "Z (zombie)" not in Path(f"/proc/{process.pid}/status").read_text():
                time.sleep(0.005)
            assert session.memory_bytes() > HELD_BYTES
        finally:
            process.kill()
