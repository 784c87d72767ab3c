"""User ids for the sessions of a pool that runs as root: one each, never shared with another pool."""

import socket
from collections import deque
from pathlib import Path

from worker.local.pool.errors import StartError

SIZE = 1_000
# above what distributions give to people and services; the lower ones for containers that map 65,536 ids
RANGES = (range(210_000, 260_000, SIZE), range(20_000, 60_000, SIZE))


class UidRange:
    """A range of user ids held by this process alone.

    The claim is a name in the abstract socket namespace: it is given back however the process ends.
    """

    def __init__(self) -> None:
        self._claim, first = _claim()
        self._free = deque(range(first, first + SIZE))

    def take(self) -> int:
        """Return a free user id, the one that was given back longest ago."""
        if not self._free:
            raise StartError("no user id is left for another session")
        return self._free.popleft()

    def give_back(self, uid: int) -> None:
        """Free a user id; no process of it may live."""
        self._free.append(uid)

    def close(self) -> None:
        """Give the range back."""
        self._claim.close()


def _claim() -> tuple[socket.socket, int]:
    for first in (first for block in RANGES for first in block if _mapped(first + SIZE - 1)):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0jsworker-session-uids-{first}")
        except OSError:
            claim.close()
        else:
            return claim, first
    raise StartError(
        "no range of user ids is free for the sessions; run the pool as an ordinary user instead"
    )


def _mapped(uid: int) -> bool:
    """Tell whether this user namespace knows the user id."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inside, _, length = map(int, line.split())
        if inside <= uid < inside + length:
            return True
    return False
