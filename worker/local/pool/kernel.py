"""The pool's end of a kernel: requests out and messages in over Node's own IPC channel."""

import asyncio
import json
import time
from pathlib import Path

from worker.local.pool.capture import Capture
from worker.local.pool.errors import KernelDiedError
from worker.local.pool.lines import LineBuffer, parse

SERVER_FILES = ("modules.js", "context.js", "display.js", "main.js")
BYTES_PER_CHARACTER = 6  # JSON may write any character as \uXXXX
MESSAGE_OVERHEAD_BYTES = 16 * 1024
FLOOD_BUSY_SECONDS = 0.002
FLOOD_PAUSE_RATIO = 2
READ_BYTES = 16 * 1024  # at a time: it may be as many empty lines, and everyone waits while they are read


def server_source(nel: Path) -> str:
    """Return nel's server as one script, put together as its own `lib/server/index.js` does.

    Without the lines before it, a kernel whose pool died while it started would report the broken channel
    over the broken channel, for ever, and SIGUSR1, which not only kill(2) sends, would open its inspector.
    """
    end = '["error", "disconnect"].forEach((event) => process.on(event, () => process.exit(1)));'
    closed = 'process.on("SIGUSR1", () => {});'
    parts = [(nel / "lib" / "server" / name).read_text() for name in SERVER_FILES]
    return "\n".join([end, closed, "(function() {", *parts, "})();"])


class Kernel(asyncio.BufferedProtocol):
    """One kernel, one execution at a time. What it sends beyond the bounds is read and dropped."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(READ_BYTES)
        self._lines = LineBuffer(MESSAGE_OVERHEAD_BYTES)
        self._online = self._loop.create_future()
        self._closed = self._loop.create_future()
        self._capture: Capture | None = None
        self._ended: asyncio.Future[None] | None = None
        self._stdout_prefix = b""
        self._last_id = 0
        self._busy_seconds = 0.0
        self._transport: asyncio.Transport | None = None
        self.death = "Kernel restarted"

    @property
    def alive(self) -> bool:
        """Whether the channel is open."""
        return not self._closed.done()

    async def online(self) -> None:
        """Wait until the kernel takes requests.

        Raises:
            KernelDiedError: it ended instead.
        """
        await asyncio.wait({self._online, self._closed}, return_when=asyncio.FIRST_COMPLETED)
        if not self.alive:
            raise KernelDiedError(self.death)

    async def run(self, code: str, capture: Capture) -> None:
        """Run code to its end, filling the capture as it goes.

        Raises:
            KernelDiedError: the kernel ended before the execution did.
        """
        if not self.alive or self._transport is None:
            raise KernelDiedError(self.death)
        self._last_id += 1
        self._stdout_prefix = b'{"id":%d,"stdout":' % self._last_id
        self._busy_seconds = 0.0
        self._lines.limit = MESSAGE_OVERHEAD_BYTES + capture.limit * BYTES_PER_CHARACTER
        self._capture, self._ended = capture, self._loop.create_future()
        try:
            self._transport.write(json.dumps(["run", code, self._last_id]).encode() + b"\n")
            await self._ended
        finally:
            self._capture = self._ended = None

    def close(self, death: str) -> None:
        """Drop the channel; an execution under way ends with `death` as its reason."""
        self.death = death
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows what asyncio declares
        self._transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """Return where to read to."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take messages in, and rest if a flood of them would starve everyone else."""
        started = time.perf_counter()
        for line in self._lines.feed(bytes(self._buffer[:nbytes])):
            if not self._droppable(line.head):
                self._receive(parse(line))
        self._rest(time.perf_counter() - started)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End what waits for this kernel."""
        if not self._closed.done():
            self._closed.set_result(None)
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(KernelDiedError(self.death))

    def _droppable(self, head: bytes) -> bool:
        return (
            self._capture is not None and self._capture.stdout.full and head.startswith(self._stdout_prefix)
        )

    def _receive(self, message: dict[str, object]) -> None:
        if message.get("status") == "online" and not self._online.done():
            self._online.set_result(None)
        elif self._capture is not None and self._capture.take(message):
            self._end(message.get("id", self._last_id))

    def _end(self, execution_id: object) -> None:
        if execution_id == self._last_id and self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _rest(self, seconds: float) -> None:
        self._busy_seconds += seconds
        if self._busy_seconds < FLOOD_BUSY_SECONDS or self._transport is None or self._transport.is_closing():
            return
        self._transport.pause_reading()
        self._loop.call_later(self._busy_seconds * FLOOD_PAUSE_RATIO, self._wake)
        self._busy_seconds = 0.0

    def _wake(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
