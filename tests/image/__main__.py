"""``python -m tests.image``: the image, looked through and run as a container against the local stack.

Needs Linux, root, buildah and crun. The container has no capabilities, and no place that it can write to.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import httpx

from tests.image.container import Container, Image, running, unpacked
from tests.image.contents import megabytes, problems, tree
from tests.system.worker.processes import ROOT, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SESSIONS = 2
GRACE_SECONDS = 25  # SHUTDOWN_GRACE_SECONDS, and what `docker stop` must be given at least
PROGRAM_SECONDS = 2
JOBS = 12
PORT = "JSWORKER_HEALTH_PORT"


@click.command(context_settings={"show_default": True})
@click.option("--image", "tag", default="localhost/jsworker", help="The image, among those of buildah.")
@click.option("--absent", multiple=True, help="A text that no file of the image may have. Repeatable.")
@click.option(
    "--built-with",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A configuration whose URLs no file of the image may have. Repeatable.",
)
def main(tag: str, absent: tuple[str, ...], built_with: tuple[Path, ...]) -> None:
    """Check the image, and say what was found."""
    with unpacked(tag) as image, tempfile.TemporaryDirectory() as name:
        _tell(
            "size", f"{megabytes(image.root):.0f} MB, of it {megabytes(image.root / 'opt'):.0f} MB jsworker's"
        )
        urls = [url for file in built_with for url in re.findall(r"https?://[^\s\"']+", file.read_text())]
        wrong = problems(image.root, [str(ROOT), *absent, *urls])
        _check("nothing in it that should not be", not wrong, "\n  ".join(wrong[:20]))
        with _stack(Path(name)) as settings:
            _check_run(image, {**settings, PORT: str(_free_port())}, Path(name))
    _tell("the image", "is as it should be")


def _check_run(image: Image, settings: dict[str, str], folder: Path) -> None:
    started = time.monotonic()
    with running(image, [*image.entrypoint, *image.config["Cmd"]], settings) as container:
        _wait("ready", lambda: _ready(settings[PORT], container))
        _tell("from start to ready", f"{time.monotonic() - started:.1f} s")
        _check_process(image, container)
        _check("its health check succeeds", container.run(image.health_check) == 0)
        _submit(settings, folder, "first", seconds=0)
        ended = run("watch", "first", settings=settings)
        _check(
            f"{JOBS} jobs have their results", ended.returncode == 0 and _results(settings, "first") == JOBS
        )
        _submit(settings, folder, "stopped", seconds=PROGRAM_SECONDS)
        _wait("the first of more", lambda: len(container.events("job_completed")) > JOBS)
        container.terminate()
        stopping = time.monotonic()
        status = container.wait(GRACE_SECONDS + 5)
        _check("it ends with status 0", status == 0, container.log.read_text()[-2000:])
        done = _results(settings, "stopped")
        _tell(
            "from SIGTERM to its end", f"{time.monotonic() - stopping:.1f} s, with {done} of {JOBS} jobs done"
        )
        _check("what ran was finished, the rest left to others", SESSIONS < done < JOBS, str(done))
    _check_writes_nothing(image, settings)


def _check_process(image: Image, container: Container) -> None:
    status = container.status_of_process()
    _check("it is the first process", status["NSpid"].split()[-1] == "1")
    _check("it runs as the image's user", status["Uid"].split() == [str(image.user[0])] * 4)
    _check("it has no capabilities", int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0)
    options = [
        line.split()[5].split(",")
        for line in Path(f"/proc/{container.pid}/mountinfo").read_text().splitlines()
        if line.split()[4] == "/"
    ]
    _check("its root is read-only", all("ro" in each for each in options))


def _check_writes_nothing(image: Image, settings: dict[str, str]) -> None:
    before = tree(image.root)
    with running(image, [*image.entrypoint, "run", "--drain"], settings, writable=True) as container:
        status = container.wait(120)
        _check("another one ends when the queue is empty", status == 0, container.log.read_text()[-2000:])
    _check("no job was lost", _results(settings, "stopped") == JOBS)
    after = tree(image.root)
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    _check("it writes nothing even where it could", not changed, "\n  ".join(changed[:20]))


@contextmanager
def _stack(folder: Path) -> Iterator[dict[str, str]]:
    state = ("--state", str(folder / "state"))
    started = run("local", "up", *state, "--max-sessions", str(SESSIONS))
    _check("the local stack is up", started.returncode == 0, started.stderr)
    try:
        lines = run("local", "env", *state).stdout.splitlines()
        yield dict(shlex.split(line)[0].split("=", 1) for line in lines)
    finally:
        run("local", "down", *state)


def _submit(settings: dict[str, str], folder: Path, batch: str, seconds: float) -> None:
    code = f"setTimeout(() => console.log('done'), {seconds * 1000})"
    jobs = [{"version": 1, "id": f"job-{i}", "code": {"inline": code}} for i in range(JOBS)]
    manifest = folder / f"{batch}.jsonl"
    manifest.write_text("\n".join(map(json.dumps, jobs)))
    ended = run("submit", "--manifest", str(manifest), "--batch", batch, settings=settings)
    _check(f"the batch {batch} is sent", ended.returncode == 0, ended.stderr)


def _results(settings: dict[str, str], batch: str) -> int:
    lines = run("results", batch, "--format", "jsonl", settings=settings).stdout.splitlines()
    return sum(json.loads(line).get("status") == "succeeded" for line in lines)


def _ready(port: str, container: Container) -> bool:
    _check("it goes on", container.status is None, container.log.read_text()[-2000:], quiet=True)
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    """The container has the network of the host, where anything may listen at the image's own port."""
    with socket.create_server(("", 0)) as server:
        return int(server.getsockname()[1])


def _wait(what: str, reached: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        _check(f"{what} within {seconds:.0f} s", time.monotonic() < deadline, quiet=True)
        time.sleep(0.05)


def _check(what: str, holds: bool, otherwise: str = "", *, quiet: bool = False) -> None:  # noqa: FBT001 - what is checked
    if not holds:
        sys.exit(f"not so: {what}\n  {otherwise}")
    if not quiet:
        _tell("ok", what)


def _tell(what: str, value: str) -> None:
    sys.stdout.write(f"{what}: {value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
