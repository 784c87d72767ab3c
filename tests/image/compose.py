"""``python -m tests.image.compose``: deploy/compose.yaml, run as far as can be without Docker.

Its worker and its pool run as the file says, by crun; the file's images of Microsoft's are not used. The blob
store is Azurite's own program, the broker that of the local stack, with the queues that the emulator is told
of. All are in a network of their own that has nothing but loopback. Needs root, buildah, crun and iproute2.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.image.container import running, unpacked
from tests.image.services import azurite, broker, connections, loopback
from tests.image.written import SECRETS, command_of, confinement, read_services

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.image.container import Container, Image

MOST_CONNECTIONS = 10  # of the emulator
JOBS = 20


@dataclass(frozen=True)
class Site:
    """Where it all runs."""

    services: Mapping[str, Any]
    images: Mapping[str, Image]
    folder: Path
    network: Path
    stack: ExitStack

    def start(self, name: str, *arguments: str, volumes: tuple[str, ...] = ()) -> Container:
        """Start a service, with other arguments than its own if there are any."""
        service = self.services[name]
        image = self.images[service["image"]]
        allowed = confinement(service, self.network, (f"{self.folder / 'hosts'}:/etc/hosts:ro", *volumes))
        command = command_of(service, image, arguments)
        return self.stack.enter_context(running(image, command, service["environment"], confinement=allowed))


def main() -> None:
    """Run it, and say what was found."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        (folder / "hosts").write_text("127.0.0.1 localhost azurite servicebus\n")
        images = {
            name: stack.enter_context(unpacked(f"localhost/{name}"))
            for name in ("jsworker", "jsworker-local")
        }
        network = stack.enter_context(loopback())
        site = Site(read_services(SECRETS), images, folder, network, stack)
        _play(site)


def _play(site: Site) -> None:
    """The worker first: it is to wait for whatever is not there yet."""
    worker = site.start("worker")
    pool = site.start("pool")
    site.stack.enter_context(azurite(site.services["azurite"], site.folder, site.network))
    _end("the containers are made", site.start("containers"))
    site.stack.enter_context(broker(site.folder, site.network))
    _wait("the pool", pool, lambda: "pool_started" in pool.log.read_text())
    _say("the pool's sandbox", pool.log.read_text().partition('"sandbox": "')[2].partition('"')[0])
    healthy = site.images["jsworker"].health_check
    ready = [*healthy[:-1], healthy[-1].replace("/health/live", "/health/ready")]
    _wait("a worker that was there first", worker, lambda: worker.run(ready) == 0)
    _check(
        "the pool's health check succeeds", pool.run(site.services["pool"]["healthcheck"]["test"][1:]) == 0
    )
    _submit(site)
    found = connections(site.network)
    _say("connections to the broker", f"{found} of the emulator's {MOST_CONNECTIONS}")
    _check("they are few enough", found < MOST_CONNECTIONS)
    worker.terminate()
    _end("the worker ends in order", worker)


def _submit(site: Site) -> None:
    """As `docker compose run worker submit` would."""
    programs = site.folder / "programs"
    programs.mkdir()
    for number in range(JOBS):
        (programs / f"p{number}.js").write_text(f"console.log({number})")
    started = time.monotonic()
    for words in ("submit /in --batch try", "watch try"):
        _end(words, site.start("worker", *shlex.split(words), volumes=(f"{programs}:/in:ro",)))
    _say(f"{JOBS} jobs, two commands' start among it", f"{time.monotonic() - started:.1f} s")
    results = site.start("worker", "results", "try", "--format", "jsonl")
    _end("results try", results)
    succeeded = results.log.read_text().count('"status":"succeeded"')
    _check(f"all {JOBS} have succeeded", succeeded == JOBS, results.log.read_text()[:2000])


def _wait(what: str, container: Container, reached: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if container.status is not None or time.monotonic() > deadline:
            _check(f"{what} is ready", holds=False, otherwise=container.log.read_text()[-3000:])
        time.sleep(0.2)
    _say("ready", what)


def _end(what: str, container: Container) -> None:
    _check(what, container.wait(120) == 0, container.log.read_text()[-3000:])


def _check(what: str, holds: bool, otherwise: str = "") -> None:  # noqa: FBT001 - what is checked
    if not holds:
        sys.exit(f"not so: {what}\n{otherwise}")
    _say("ok", what)


def _say(what: str, value: str) -> None:
    sys.stdout.write(f"{what}: {value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
