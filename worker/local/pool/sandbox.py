"""How a session's processes are confined: bubblewrap with a system call filter, or not at all."""

import contextlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from worker.local.pool import seccomp
from worker.local.pool.config import Limits
from worker.local.pool.shelf import shelved

SESSION_ID = 1000
NODE = "/usr/bin/node"
DATA = "/mnt/data"
TMP = "/tmp"  # noqa: S108 - the session's own
DEVICES = ("null", "zero", "urandom", "random")
STREAMS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
ETC = {
    "passwd": f"sandbox:x:{SESSION_ID}:{SESSION_ID}::/tmp:/sbin/nologin\n",
    "group": f"sandbox:x:{SESSION_ID}:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "hosts: files\n",
}
NICENESS = 5
INHERITED_BELOW = 16
MOVE = 'exec {0}<&{1} {1}<&-; exec "$@"'


@dataclass(frozen=True, slots=True)
class Launch:
    """A started session: the process to wait for, and where its sandbox reports (None without one)."""

    popen: subprocess.Popen[bytes]
    info_fd: int | None
    directory: Path | None


class Sandbox(Protocol):
    """A way to start a session."""

    tier: str

    def launch(self, channel: int, uid: int | None) -> Launch:
        """Start a kernel that talks over the file descriptor `channel`, as user `uid` if given.

        The calling thread must outlive the session: it dies with the thread that started it.
        """


def environment(channel: int, *, home: str, data: str) -> dict[str, str]:
    """Return the whole environment of a session."""
    return {
        "PATH": "/usr/bin",
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "PWD": data,
        "NODE_CHANNEL_FD": str(channel),
        "NODE_CHANNEL_SERIALIZATION_MODE": "json",
    }


def limited(limits: Limits, uid: int | None) -> list[str]:
    """Return the command that gives what follows it the session's user and resource limits.

    A process limit is set here only for a user id of the session's own: an ordinary user's counts the whole
    desktop, so there it is set from outside, once the session has a user namespace that counts by itself.
    """
    command = [
        "prlimit",
        "--core=0:0",
        f"--nofile={limits.open_files}:{limits.open_files}",
        f"--fsize={limits.file_bytes}:{limits.file_bytes}",
        f"--data={limits.heap_bytes_per_process}:{limits.heap_bytes_per_process}",
    ]
    if uid is None:
        return command
    return [*_become(uid), *command, f"--nproc={limits.processes}:{limits.processes}"]


def _become(uid: int) -> list[str]:
    """A program does it: with `user` or `group` set, subprocess forks where it could vfork."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]


def low(channel: int, taken: list[int]) -> tuple[list[str], int]:
    """Return a command that starts what follows it with the channel under a low number, and that number.

    Node closes what it was given to the programs that it starts by trying one number after another; from
    ``INHERITED_BELOW`` on it stops at the first that is not open (uv_disable_stdio_inheritance of libuv). A
    channel beyond would be open in every program, which could answer and listen in the kernel's place.
    """
    if channel < INHERITED_BELOW:
        return [], channel
    number = next(number for number in range(3, INHERITED_BELOW) if number not in taken)
    return ["bash", "-c", MOVE.format(number, channel), "bash"], number


def start(command: list[str], *, fds: list[int], env: dict[str, str], cwd: str) -> subprocess.Popen[bytes]:
    """Start a command with nothing of ours but the given descriptors."""
    popen = subprocess.Popen(  # noqa: S603 - every argument is ours
        command,
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    os.setpriority(os.PRIO_PROCESS, popen.pid, NICENESS)
    return popen


def node_version(node: Path) -> str:
    """Return what `node --version` says."""
    return subprocess.run([str(node), "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - ours


def memory_file(passed: contextlib.ExitStack, name: str, content: bytes = b"") -> int:
    """Return a descriptor of an anonymous file, at its beginning, which is closed with the stack."""
    fd = os.memfd_create(name)
    passed.callback(os.close, fd)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def shared_libraries(binary: Path) -> list[str]:
    """Return the paths under which a binary looks for its libraries, the loader among them."""
    listing = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=True)  # noqa: S603, S607 - our binary
    words = listing.stdout.split()
    return sorted({word for word in words if word.startswith("/")})


class Bubblewrap:
    """Own user, network, pid, mount, ipc, uts and cgroup namespaces, and a file system with nothing but Node.

    The kernel is pid 1 of its namespace: what it starts cannot signal it, and nothing outlives it.
    """

    tier = "bubblewrap+seccomp"

    def __init__(self, node: Path, source: str, limits: Limits) -> None:
        self._limits = limits
        self._filter = seccomp.program()
        self._node = shelved(node)
        self._before, self._after = self._arguments(shared_libraries(node), source)

    def launch(self, channel: int, uid: int | None) -> Launch:
        """Start a kernel in a sandbox of its own; see `Sandbox.launch`."""
        with contextlib.ExitStack() as kept, contextlib.ExitStack() as passed:
            info = memory_file(kept, "info")
            rules = memory_file(passed, "seccomp", self._filter)
            etc = {name: memory_file(passed, name, text.encode()) for name, text in ETC.items()}
            fds = [channel, info, rules, *etc.values()]
            moved, number = low(channel, fds)
            command = [*moved, *limited(self._limits, uid), *self._before]
            command += ["--info-fd", str(info), "--seccomp", str(rules)]
            for name, fd in etc.items():
                command += ["--perms", "0444", "--file", str(fd), f"/etc/{name}"]
            for name, value in environment(number, home=TMP, data=DATA).items():
                command += ["--setenv", name, value]
            popen = start([*command, *self._after], fds=fds, env={"PATH": os.defpath}, cwd="/")
            kept.pop_all()
        return Launch(popen, info, None)

    def _arguments(self, libraries: list[str], source: str) -> tuple[list[str], list[str]]:
        user = [
            "--uid",
            str(SESSION_ID),
            "--gid",
            str(SESSION_ID),
            "--hostname",
            "session",
            "--cap-drop",
            "ALL",
        ]
        life = ["--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
        files = ["--ro-bind", str(self._node), NODE]
        for library in libraries:
            files += ["--ro-bind", os.path.realpath(library), library]
        for device in DEVICES:
            files += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
        for name, target in STREAMS.items():
            files += ["--symlink", target, f"/dev/{name}"]
        files += ["--perms", "1777", "--size", str(self._limits.tmp_bytes), "--tmpfs", TMP]
        files += ["--size", str(self._limits.data_bytes), "--tmpfs", DATA, "--proc", "/proc"]
        before = ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", *user, *life, *files]
        return before, ["--remount-ro", "/", "--chdir", DATA, "--", NODE, "--eval", source]


class Unconfined:
    """No sandbox: plain processes with a scrubbed environment and resource limits."""

    tier = "none"

    def __init__(self, node: Path, source: str, limits: Limits) -> None:
        self._limits, self._source = limits, source
        self._node = shelved(node)

    def launch(self, channel: int, uid: int | None) -> Launch:
        """Start a kernel as it is; see `Sandbox.launch`. The descriptor is all that ends it with the pool."""
        directory = Path(tempfile.mkdtemp(prefix="jsworker-session-"))
        if uid is not None:
            os.chown(directory, uid, uid)
        moved, number = low(channel, [])
        command = [*moved, *limited(self._limits, uid), str(self._node), "--eval", self._source]
        env = environment(number, home=str(directory), data=str(directory))
        popen = start(command, fds=[channel], env=env, cwd=str(directory))
        return Launch(popen, None, directory)
