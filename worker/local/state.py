"""The state directory of a local stack (`.jsworker/`): its lock, keys, ports, and who runs it."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from worker.local.process import Process
from worker.local.supervised import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEY_BYTES = 48
_QUEUE_RULES = {
    "lock_duration_seconds": 60,
    "max_delivery_count": 20,
    "dead_lettering_on_expiration": True,
    "duplicate_detection_window_seconds": 600,
}
QUEUES = {
    "queues": [{"name": "jobs", **_QUEUE_RULES}, {"name": "webhooks", **_QUEUE_RULES}],
    "topics": [
        {
            "name": "events",
            "duplicate_detection_window_seconds": 600,
            "subscriptions": [{"name": "all", "lock_duration_seconds": 60, "max_delivery_count": 20}],
        }
    ],
}


class StateDirectory:
    """What a local stack keeps between its runs, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.queues_file = self.path / "queues.json"
        self.faults_link = self.path / "faults.link"
        self._lock_file = self.path / "stack.lock"
        self._stack_file = self.path / "stack.json"
        self._ports_file = self.path / "ports.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory: no other stack can use it until then. Whatever a killed one left is put right.

        Raises:
            StackError: another stack holds it.
        """
        self._create()
        with os.fdopen(os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
            self._acquire(lock.fileno())
            _write(lock, Process.of(os.getpid()))
            self._clear_away()
            if not self.queues_file.exists():
                write_private(self.queues_file, json.dumps(QUEUES, indent=2) + "\n")
            try:
                yield
            finally:
                self._stack_file.unlink(missing_ok=True)
                self.faults_link.unlink(missing_ok=True)
                _write(lock, None)

    def _acquire(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self.holder()
            process = f"process {holder.pid}" if holder else "it is just starting or stopping"
            raise StackError(
                f"Another local stack ({process}) uses {self.path}. Stop it with `jsworker local down`, "
                "or choose another state directory."
            ) from None

    def _clear_away(self) -> None:
        """End the children of a stack that was killed, which the kernel may just be doing."""
        for process in self._recorded_children():
            process.end(grace_seconds=1)
        self._stack_file.unlink(missing_ok=True)
        self.faults_link.unlink(missing_ok=True)

    def holder(self) -> Process | None:
        """The process that holds the directory; None when none does."""
        return _running_process(_read(self._lock_file))

    def environment(self) -> dict[str, str] | None:
        """The environment of the stack that runs here; None when none is ready."""
        if self.holder() is None:
            return None
        environment = _read(self._stack_file).get("environment")
        return environment if isinstance(environment, dict) else None

    def folder(self, name: str) -> Path:
        """A folder in the directory."""
        self._create()
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _create(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def key(self, name: str) -> Path:
        """A file with a random key, the same in all runs."""
        file = self.folder("keys") / name
        if not file.exists():
            write_private(file, base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())
        return file

    def port(self, name: str) -> int:
        """The port of the run before, so that an environment printed then stays right; 0 when it is taken."""
        port = _read(self._ports_file).get(name, 0)
        return port if isinstance(port, int) and _is_free(port) else 0

    def queue(self) -> str:
        """The name of the first queue declared.

        Raises:
            StackError: the file declares none.
        """
        try:
            return str(json.loads(self.queues_file.read_text())["queues"][0]["name"])
        except (ValueError, LookupError, TypeError) as error:
            raise StackError(
                f"{self.queues_file} declares no queue ({error}). Mend it, or remove it to have the default."
            ) from error

    def begin_faults(self, file: Path) -> None:
        """Let the services have the faults of this file, which they follow by way of a link."""
        self.faults_link.symlink_to(file.absolute())

    def record(
        self, ports: Mapping[str, int], pids: Mapping[str, int], environment: Mapping[str, str]
    ) -> None:
        """Record a stack that is ready."""
        children = {name: Process.of(pid) for name, pid in pids.items()}
        write_private(self._ports_file, json.dumps(ports))
        write_private(
            self._stack_file,
            json.dumps(
                {
                    "pid": os.getpid(),
                    "children": {name: vars(child) for name, child in children.items() if child},
                    "ports": dict(ports),
                    "environment": dict(environment),
                },
                indent=2,
            ),
        )

    def _recorded_children(self) -> list[Process]:
        children = _read(self._stack_file).get("children", {}).values()
        return [process for child in children if (process := _running_process(child))]


def write_private(file: Path, text: str) -> None:
    """Write a file that its owner alone can read; all of it or nothing."""
    draft = file.with_name(file.name + ".new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(file)


def _read(file: Path) -> dict[str, Any]:
    """What a file of ours holds; nothing when it is missing, or was cut short by a kill."""
    try:
        value = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write(lock: Any, process: Process | None) -> None:  # noqa: ANN401 - any open text file
    lock.seek(0)
    lock.truncate()
    lock.write(json.dumps(vars(process)) if process else "")
    lock.flush()


def _running_process(record: Mapping[str, Any]) -> Process | None:
    process = Process.of(record["pid"]) if "pid" in record else None
    return process if process and process.start_time == record.get("start_time") else None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
