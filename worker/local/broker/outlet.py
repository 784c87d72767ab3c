"""What a connection sends: at once, or as late as the switches say, or not at all while the broker hangs."""

import asyncio
import socket
import struct
from collections import deque

from worker.local.faults import BrokerFaults
from worker.local.switches import Switches

_NO_LINGERING = struct.pack("ii", 1, 0)


class Outlet:
    """The sending side of a transport. What is sent leaves in its order."""

    def __init__(self, transport: asyncio.Transport, faults: Switches[BrokerFaults]) -> None:
        self._transport = transport
        self._faults = faults
        self._loop = asyncio.get_running_loop()
        self._held: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._frozen = False
        if faults.now.hang:
            self.freeze()

    def write(self, data: bytes) -> None:
        """Send; what is sent after the end is dropped."""
        if self._transport.is_closing():
            return
        late = self._faults.now.latency_seconds
        if late or self._held or self._frozen:
            self._held.append((self._loop.time() + late, data))
            self._plan()
        else:
            self._transport.write(data)

    def freeze(self) -> None:
        """Neither hear nor say anything, as a stopped process does; the connection stays."""
        self._frozen = True
        self._transport.pause_reading()
        self._forget_timer()

    def thaw(self) -> None:
        """Go on where it was left."""
        self._frozen = False
        self._transport.resume_reading()
        self._plan()

    def end(self) -> None:
        """Send what is late, unless the broker hangs, and end the connection in order."""
        self._forget_timer()
        while self._held and not self._frozen:
            self._transport.write(self._held.popleft()[1])
        self._transport.close()

    def reset(self) -> None:
        """End the connection as a network does that has forgotten it."""
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING
        )
        self._transport.abort()

    def lost(self) -> None:
        """Drop what is late: nobody is there to read it."""
        self._forget_timer()
        self._held.clear()

    def _plan(self) -> None:
        if self._held and self._timer is None and not self._frozen:
            self._timer = self._loop.call_at(self._held[0][0], self._send_due)

    def _send_due(self) -> None:
        self._timer = None
        while self._held and self._held[0][0] <= self._loop.time():
            self._transport.write(self._held.popleft()[1])
        self._plan()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
