"""One session: a kernel, its processes and its files, and the executions in it one after the other."""

import asyncio
import os
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from worker.local.pool.capture import Capture
from worker.local.pool.config import Limits
from worker.local.pool.errors import KernelDiedError, StartError
from worker.local.pool.files import SessionFiles
from worker.local.pool.kernel import Kernel
from worker.local.pool.process import SessionProcess
from worker.local.pool.sandbox import Sandbox
from worker.local.pool.uids import UidRange

START_SECONDS = 20.0
TIMED_OUT = "Request timed out waiting for code execution to complete"
ABORTED = "Execution aborted"
RESTARTED = "Kernel restarted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an execution came to."""

    succeeded: bool
    stdout: str
    stderr: str
    value: str
    duration_ms: int


class Session:
    """A ready kernel with everything that is to be freed after it."""

    def __init__(
        self, kernel: Kernel, process: SessionProcess, uid: int | None, uids: UidRange | None
    ) -> None:
        self._kernel, self._process = kernel, process
        self._uid, self._uids = uid, uids
        self._turn = asyncio.Lock()
        self._killed = False
        self.guid = str(uuid.uuid4())

    @property
    def alive(self) -> bool:
        """Whether it can still run code."""
        return self._kernel.alive

    @property
    def files(self) -> SessionFiles:
        """The files of `/mnt/data`.

        Raises:
            KernelDiedError: the session is being released.
        """
        if self._process.data_fd is None:
            raise KernelDiedError(ABORTED)
        return SessionFiles(self._process.data_fd, self._uid)

    async def adopt(self, limits: Limits) -> None:
        """Wait until the kernel is up and take hold of its sandbox.

        Raises:
            KernelDiedError, TimeoutError, OSError: it did not come up.
        """
        async with asyncio.timeout(START_SECONDS):
            await self._kernel.online()
        self._process.adopt(limits)

    async def execute(self, code: str, *, timeout_seconds: float, max_length: int) -> Outcome:
        """Run code; whatever goes wrong with it is an outcome. A run that hits its limit ends the session."""
        async with self._turn:
            started = time.monotonic()
            capture = Capture(max_length)
            failure = await self._run(code, capture, timeout_seconds)
            duration_ms = round((time.monotonic() - started) * 1000)
        if failure is not None:
            return Outcome(succeeded=False, stdout="", stderr=failure, value="", duration_ms=duration_ms)
        return Outcome(
            not capture.failed, str(capture.stdout), str(capture.stderr), capture.value, duration_ms
        )

    async def _run(self, code: str, capture: Capture, timeout_seconds: float) -> str | None:
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._kernel.run(code, capture)
        except TimeoutError:
            self.kill(TIMED_OUT)
            return TIMED_OUT
        except KernelDiedError as death:
            return str(death)
        return None

    def memory_bytes(self) -> int:
        """Return the memory that the session's processes take now; 0 once they are killed."""
        return 0 if self._killed else self._process.memory_bytes()

    def kill(self, reason: str) -> None:
        """Kill every process of the session; an execution under way ends with the reason."""
        self._killed = True
        self._kernel.close(reason)
        self._process.kill()

    async def gone(self) -> None:
        """After `kill`: wait until nothing of the session is left and free its user id."""
        await self._process.gone()
        if self._uid is not None and self._uids is not None:
            self._uids.give_back(self._uid)


class Launcher:
    """Starts sessions from one thread that lives as long as the pool: they die with their starting thread.

    A thread of its own, because starting a process waits for the new process to get its turn on a processor.
    """

    def __init__(self, sandbox: Sandbox, limits: Limits) -> None:
        self._sandbox, self._limits = sandbox, limits
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="session-launcher")
        self._uids = UidRange() if os.geteuid() == 0 else None

    async def start(self) -> Session:
        """Start a session and wait until it is ready.

        Raises:
            StartError: it did not come up.
        """
        uid = self._uids.take() if self._uids is not None else None
        try:
            session = await self._begin(uid)
        except OSError as error:
            if self._uids is not None and uid is not None:
                self._uids.give_back(uid)
            raise StartError(f"a session could not be started: {error}") from error
        await self._adopt(session)
        return session

    def close(self) -> None:
        """End the thread, and with it what it started; give the user ids back."""
        self._thread.shutdown()
        if self._uids is not None:
            self._uids.close()

    async def _begin(self, uid: int | None) -> Session:
        ours, theirs = socket.socketpair()
        _, kernel = await asyncio.get_running_loop().create_unix_connection(Kernel, sock=ours)
        try:
            process = await asyncio.wrap_future(self._thread.submit(self._launch, theirs, uid))
        except OSError:
            kernel.close(ABORTED)
            raise
        return Session(kernel, process, uid, self._uids)

    def _launch(self, channel: socket.socket, uid: int | None) -> SessionProcess:
        with channel:
            return SessionProcess(self._sandbox.launch(channel.fileno(), uid))

    async def _adopt(self, session: Session) -> None:
        try:
            await session.adopt(self._limits)
        except (KernelDiedError, TimeoutError, OSError) as error:
            session.kill(ABORTED)
            await session.gone()
            raise StartError("the kernel of a session did not come up") from error
