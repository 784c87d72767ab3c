"""An image as a container, as Docker would have it: its files by buildah, its processes by crun."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# crun knows cgroups of version 2 alone; a machine with both is shown to it as one with those.
CRUN = (
    "if [ -d /sys/fs/cgroup/unified ]; then\n"
    "  umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup\n"
    "fi\n"
    'exec crun --cgroup-manager=disabled "$@"'
)
MASKED = ("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/scsi", "/proc/timer_list")  # as Docker does
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True)
class Confinement:
    """What a container has besides, or is spared, in the words of the runtime's specification."""

    mounts: tuple[dict[str, Any], ...] = ()
    network: tuple[dict[str, str], ...] = ()
    seccomp: Mapping[str, Any] | None = None
    whole_proc: bool = False


DEFAULT = Confinement()


@dataclass(frozen=True)
class Image:
    """An image whose files lie under `root`; what is written there is not the image's."""

    root: Path
    config: Mapping[str, Any]

    @property
    def entrypoint(self) -> list[str]:
        """The command that arguments are given to."""
        return [str(word) for word in self.config["Entrypoint"]]

    @property
    def user(self) -> tuple[int, int]:
        """The user and group that it runs as, which are numbers."""
        user, _, group = self.config["User"].partition(":")
        return int(user), int(group)

    @property
    def environment(self) -> dict[str, str]:
        """What it sets."""
        return dict(pair.split("=", 1) for pair in self.config["Env"])

    @property
    def health_check(self) -> list[str]:
        """Its health check, which needs no shell."""
        form, *command = self.config["Healthcheck"]["Test"]
        if form != "CMD":
            raise ValueError(f"the health check is of the form {form}")
        return [str(word) for word in command]


@contextmanager
def unpacked(tag: str) -> Iterator[Image]:
    """An image's files and configuration, for as long as the context."""
    config = json.loads(output("buildah", "inspect", "--type", "image", tag))["Docker"]["config"]
    container = output("buildah", "from", "--pull-never", tag)
    try:
        yield Image(Path(output("buildah", "mount", container)), config)
    finally:
        output("buildah", "rm", container)


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()  # noqa: S603 - ours


class Container:
    """A running container: no capabilities, the host's network, and no place to write to."""

    def __init__(self, folder: Path, name: str, pidfile: Path, process: subprocess.Popen[bytes]) -> None:
        self.log = folder / "log"
        self._name, self._pidfile, self._process = name, pidfile, process

    @property
    def pid(self) -> int:
        """The pid, outside, of its first process."""
        return int(self._pidfile.read_text())

    @property
    def status(self) -> int | None:
        """Its exit status, once it has ended."""
        return self._process.poll()

    def status_of_process(self) -> dict[str, str]:
        """What Linux says of its first process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def run(self, command: Sequence[str]) -> int:
        """Run a command in it as an orchestrator runs its health check; the exit status."""
        started = _crun("exec", self._name, *command)
        return subprocess.run(started, check=False, stderr=subprocess.DEVNULL).returncode  # noqa: S603 - ours

    def terminate(self) -> None:
        """Send what `docker stop` sends."""
        output(*_crun("kill", self._name, "TERM"))

    def wait(self, seconds: float) -> int:
        """Wait for its end; the exit status."""
        return self._process.wait(seconds)

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it has logged under this name."""
        lines = [
            line for line in self.log.read_text().splitlines() if line.startswith("{") and line.endswith("}")
        ]
        return [event for line in lines if (event := json.loads(line)).get("event") == name]


@contextmanager
def running(
    image: Image,
    command: Sequence[str],
    settings: Mapping[str, str],
    *,
    writable: bool = False,
    confinement: Confinement = DEFAULT,
) -> Iterator[Container]:
    """A container with this command and settings, killed at the end of the context if it still runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = _bundle(image, command, settings, confinement, writable=writable)
        (folder / "config.json").write_text(json.dumps(bundle))
        identity, pidfile = f"jsworker-image-{os.getpid()}-{folder.name}", folder / "pid"
        start = _crun("run", "--bundle", name, "--pid-file", str(pidfile), identity)
        with (folder / "log").open("wb") as log, subprocess.Popen(start, stdout=log, stderr=log) as process:  # noqa: S603 - ours
            try:
                yield Container(folder, identity, pidfile, process)
            finally:
                if process.poll() is None:
                    output(*_crun("delete", "--force", identity))


def _crun(*arguments: str) -> list[str]:
    return ["unshare", "--mount", "sh", "-c", CRUN, "crun", *arguments]


def _bundle(
    image: Image,
    command: Sequence[str],
    settings: Mapping[str, str],
    confinement: Confinement,
    *,
    writable: bool,
) -> dict[str, Any]:
    uid, gid = image.user
    environment = {**image.environment, **settings}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "args": list(command),
            "cwd": "/",
            "env": [f"{name}={value}" for name, value in environment.items()],
            "user": {"uid": uid, "gid": gid},
            "noNewPrivileges": True,
            "capabilities": {},
        },
        "root": {"path": str(image.root), "readonly": not writable},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            *confinement.mounts,
        ],
        "linux": {
            "namespaces": [
                *({"type": kind} for kind in ("pid", "mount", "ipc", "uts")),
                *confinement.network,
            ],
            **({} if confinement.whole_proc else {"maskedPaths": MASKED, "readonlyPaths": READ_ONLY}),
            **({"seccomp": confinement.seccomp} if confinement.seccomp else {}),
        },
    }
