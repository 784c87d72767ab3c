"""What stands in for the services of compose.yaml that are Microsoft's, in a network of its own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.image.container import output
from tests.image.written import emulator, seconds
from worker.local.azurite import LAUNCHER, node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
AMQP = 5672
ESTABLISHED = "01"


@contextmanager
def loopback() -> Iterator[Path]:
    """A network of its own; the path by which processes are put into it."""
    command = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - ours
        try:
            assert process.stdout
            process.stdout.readline()
            yield Path(f"/proc/{process.pid}/ns/net")
        finally:
            process.kill()


@contextmanager
def azurite(service: Mapping[str, Any], folder: Path, network: Path) -> Iterator[None]:
    """Azurite's own program, with the options of the file."""
    program, *options = shlex.split(service["command"])
    options[options.index("/data")] = str(folder / "blobs")
    script = LAUNCHER.parent / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    assert program == "azurite-blob"
    with _process([node(), str(script), *options], network, folder / "azurite.log", service["environment"]):
        yield


@contextmanager
def broker(folder: Path, network: Path) -> Iterator[None]:
    """The broker of the local stack, with the queues that the emulator is told of."""
    (folder / "queues.json").write_text(json.dumps({"queues": list(map(_queue, emulator()["Queues"]))}))
    (folder / "key").write_text("SAS_KEY_VALUE")
    options = (f"--data={folder}", f"--queues={folder / 'queues.json'}", f"--key-file={folder / 'key'}")
    command = [sys.executable, "-m", "worker.local.broker", *options, f"--port={AMQP}"]
    with _process(command, network, folder / "broker.log", {}):
        yield


def connections(network: Path) -> int:
    """How many connections to the broker there are."""
    lines = output("nsenter", f"--net={network}", "cat", "/proc/net/tcp").splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(field[3] == ESTABLISHED and int(field[2].split(":")[1], 16) == AMQP for field in fields)


def _queue(queue: Mapping[str, Any]) -> dict[str, Any]:
    properties = queue["Properties"]
    return {
        "name": queue["Name"],
        "lock_duration_seconds": seconds(properties["LockDuration"]),
        "max_delivery_count": properties["MaxDeliveryCount"],
        "default_ttl_seconds": seconds(properties["DefaultMessageTimeToLive"]),
        "dead_lettering_on_expiration": properties["DeadLetteringOnMessageExpiration"],
        "duplicate_detection_window_seconds": seconds(properties["DuplicateDetectionHistoryTimeWindow"]),
    }


@contextmanager
def _process(
    command: Sequence[str], network: Path, log: Path, environment: Mapping[str, str]
) -> Iterator[None]:
    with (
        log.open("wb") as file,
        subprocess.Popen(  # noqa: S603 - ours
            ["nsenter", f"--net={network}", *command],  # noqa: S607 - util-linux's
            stdout=file,
            stderr=file,
            env={**os.environ, **environment},
            cwd=ROOT,
        ) as process,
    ):
        try:
            while not log.stat().st_size and process.poll() is None:
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
