"""The command of the image as the first process of its pid namespace, which hears no signal by default."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.health.dockerfile import words
from tests.contract.pool.processes import all_end, descendants
from tests.system.worker.processes import ROOT, environment
from tests.system.worker.services import Services, eventually, program

BIN = Path(sys.executable).parent


def first_of_its_own(command: list[str]) -> list[str]:
    """The command line that makes a command process 1 of a pid namespace of its own."""
    if os.geteuid() == 0 and shutil.which("unshare"):
        return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *command]
    if shutil.which("bwrap"):
        own = ["--unshare-pid", "--as-pid-1", "--die-with-parent", "--dev-bind", "/", "/", "--proc", "/proc"]
        return ["bwrap", *own, *command]
    pytest.skip("neither unshare as root nor bubblewrap is to be had")


@contextmanager
def contained(settings: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The image's own command, found on the path as in the image."""
    command = first_of_its_own([*words("ENTRYPOINT"), *words("CMD")])
    path = f"{BIN}:{os.environ['PATH']}"
    with log.open("ab") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=ROOT, env={**environment(settings), "PATH": path}, stderr=stderr
        )
    try:
        yield process
    finally:
        under = descendants(process.pid)
        process.kill()
        process.wait()
        assert all_end(under)


def worker_in(process: subprocess.Popen[bytes]) -> int:
    """The process that is number 1 inside."""
    found = [pid for pid, _ in descendants(process.pid) if _number_inside(pid) == 1]
    assert len(found) == 1, found
    return found[0]


def _number_inside(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (numbers,) = [line for line in status if line.startswith("NSpid:")]
    return int(numbers.split()[-1])


def test_the_entry_command_ends_in_order_at_a_single_sigterm_with_a_job_in_hand(
    services: Services, batch: str, tmp_path: Path
) -> None:
    settings = {
        **services.environment,
        "JSWORKER_QUEUE": "entry",
        "JSWORKER_LOOKAHEAD": "0",
        "JSWORKER_SHUTDOWN_GRACE_SECONDS": "20",
    }
    log = tmp_path / "entry.log"
    with contained(settings, log) as process:
        (ended,) = services.send(
            "entry", [program(batch, "ended", "setTimeout(() => console.log('done'), 3000)")]
        )
        eventually(services.sessions)
        pid = worker_in(process)
        assert Path(f"/proc/{pid}/comm").read_text().strip() == "jsworker"
        os.kill(pid, signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()
    assert '"worker_stopped"' in log.read_text()
    result = services.result(batch, ended)
    assert result
    assert (result["status"], result["stdout"]["text"]) == ("succeeded", "done\n")
    assert services.sessions() == []
    assert services.waiting("entry") == []
