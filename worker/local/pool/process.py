"""The processes of one session, seen from outside."""

import asyncio
import json
import os
import resource
import shutil
import signal

from worker.local.pool.config import Limits
from worker.local.pool.sandbox import DATA, TMP, Launch

NAME_BYTES = 1024  # about what the machine keeps for an empty file


class SessionProcess:
    """A started session: its life, its memory, its data directory."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._root = launch.popen.pid
        self._init_pidfd: int | None = None
        self._tmp_fd: int | None = None
        self.data_fd: int | None = None

    def adopt(self, limits: Limits) -> None:
        """Take hold of a session that is up, before code runs in it.

        Raises:
            OSError: it ended meanwhile.
        """
        if self._launch.info_fd is None:
            self.data_fd = os.open(str(self._launch.directory), os.O_DIRECTORY)
            return
        self._root = int(json.loads(os.pread(self._launch.info_fd, 4096, 0))["child-pid"])
        self._init_pidfd = os.pidfd_open(self._root)
        self.data_fd = os.open(f"/proc/{self._root}/root{DATA}", os.O_DIRECTORY)
        self._tmp_fd = os.open(f"/proc/{self._root}/root{TMP}", os.O_DIRECTORY)
        if os.geteuid() != 0:
            resource.prlimit(self._root, resource.RLIMIT_NPROC, (limits.processes, limits.processes))

    def kill(self) -> None:
        """Kill everything in the session. May be called again."""
        if self._launch.popen.returncode is not None:
            return
        if self._init_pidfd is not None:
            _send_kill(self._init_pidfd)
        elif self._launch.info_fd is None:
            _kill_group(self._launch.popen.pid)
        else:
            self._launch.popen.kill()

    async def gone(self) -> None:
        """Wait until no process of the session is left, then free what was held for it.

        The sandbox's outer process ends after the namespace's init, and that after everything in it.
        """
        if self._launch.popen.returncode is None:
            pidfd = os.pidfd_open(self._launch.popen.pid)
            try:
                await _readable(pidfd)
            finally:
                os.close(pidfd)
            self._launch.popen.wait()
        self._release()

    def memory_bytes(self) -> int:
        """Return the memory of all processes that is theirs alone: no file pages, which sessions share.

        The names of files count too: the bounds of their file systems are for contents, which need not be.
        """
        folders = (self.data_fd, self._tmp_fd) if self._tmp_fd is not None else ()
        names = sum(_names(fd) for fd in folders if fd is not None)
        return sum(_own_memory(pid) for pid in _family(self._root)) + names * NAME_BYTES

    def _release(self) -> None:
        for fd in (self._init_pidfd, self.data_fd, self._tmp_fd, self._launch.info_fd):
            if fd is not None:
                os.close(fd)
        self._init_pidfd = self.data_fd = self._tmp_fd = None
        if self._launch.directory is not None:
            shutil.rmtree(self._launch.directory, ignore_errors=True)


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)


def _send_kill(pidfd: int) -> None:
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _family(pid: int) -> list[int]:
    """Return a process and its descendants; orphans in a pid namespace belong to its init."""
    family = [pid]
    for parent in family:
        family += _children(parent)
    return family


def _children(pid: int) -> list[int]:
    return [
        int(child) for task in _tasks(pid) for child in _read(f"/proc/{pid}/task/{task}/children").split()
    ]


def _names(fd: int) -> int:
    """Return how many files, folders and links there are on a file system in memory."""
    system = os.fstatvfs(fd)
    return system.f_files - system.f_ffree


def _own_memory(pid: int) -> int:
    """Return a process's memory; one whose first thread is gone tells it of its other threads alone."""
    memory = _told_memory(f"/proc/{pid}/status")
    if memory is None:
        told = (_told_memory(f"/proc/{pid}/task/{task}/status") for task in _tasks(pid))
        memory = next((found for found in told if found is not None), 0)
    return memory


def _told_memory(status: str) -> int | None:
    lines = _read(status).splitlines()
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith((b"RssAnon", b"RssShmem"))]
    return sum(kilobytes) * 1024 if kilobytes else None


def _tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - five times a second
    except OSError:
        return []


def _read(path: str) -> bytes:
    """Return what a file of /proc says; nothing when its process or thread is gone."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - five times a second
            return file.read()
    except OSError:
        return b""
