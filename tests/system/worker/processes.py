"""Real processes: the command line, the worker, a pool, and what is left of them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.system.worker.services import eventually

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "worker.cli")
CANARY = "canary-6b1d"
MARK = "JSWORKER_TEST_MARK"


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with no settings but these, and with a secret that nobody may see."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("JSWORKER_")}
    return {**own, "AZURE_CLIENT_SECRET": CANARY, MARK: str(os.getpid()), **(settings or {})}


def run(*arguments: str, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of ours to its end."""
    return subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )


class Worker:
    """A worker process; its log is a file."""

    def __init__(self, settings: Mapping[str, str], log: Path, *options: str) -> None:
        self.log = log
        with log.open("ab") as stderr:
            self._before = len(self.events("worker_started"))
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*COMMAND, "run", *options], cwd=ROOT, env=environment(settings), stderr=stderr
            )

    def events(self, name: str) -> list[dict[str, object]]:
        """What it has logged under this name."""
        lines = [line for line in self.log.read_text().splitlines(keepends=True) if line.endswith("}\n")]
        return [event for line in lines if (event := json.loads(line)).get("event") == name]

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def status(self, seconds: float = 60) -> int:
        """Wait for its end; its exit status."""
        return self._process.wait(seconds)

    @property
    def has_started(self) -> bool:
        """Whether it has gone so far that a signal stops it in order."""
        return len(self.events("worker_started")) > self._before

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def working(settings: Mapping[str, str], log: Path, *options: str) -> Iterator[Worker]:
    """A worker for as long as the context; stopped in order if it still runs."""
    worker = Worker(settings, log, *options)
    try:
        yield worker
        eventually(lambda: worker.has_started or not worker.is_running)
        if worker.is_running:
            worker.signal(signal.SIGTERM)
            assert worker.status() == 0, f"see {log}"
    finally:
        worker.kill()


@contextmanager
def killed(settings: Mapping[str, str], log: Path) -> Iterator[Worker]:
    """A worker that is killed at the end of the context."""
    worker = Worker(settings, log)
    try:
        yield worker
    finally:
        worker.kill()


@contextmanager
def pool(folder: Path, token: str, *options: str, **faults: object) -> Iterator[dict[str, str]]:
    """A session pool of its own, with these faults; the settings for a worker to use it."""
    (folder / "token").write_text(token)
    (folder / "faults.json").write_text(json.dumps({"pool": faults}))
    files = (f"--token-file={folder / 'token'}", f"--faults={folder / 'faults.json'}")
    command = [sys.executable, "-m", "worker.local.pool", *files, *options]
    with (
        (folder / "pool.log").open("ab") as stderr,
        subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=stderr, umask=0o022
        ) as process,
    ):
        try:
            assert process.stdout
            ready = process.stdout.readline()
            assert ready, (folder / "pool.log").read_text()
            yield {"JSWORKER_POOL_ENDPOINT": json.loads(ready)["endpoint"], "JSWORKER_POOL_TOKEN": token}
        finally:
            process.terminate()
            process.wait(30)


def left_behind() -> list[str]:
    """The command lines of processes that carry our mark."""
    mark = f"{MARK}={os.getpid()}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found
