"""Which identifiers hold a session. Pure rules: time comes in, nothing waits."""

from dataclasses import dataclass


@dataclass(slots=True)
class Lease:
    """An allocated session: when it was made and last used, and the requests running in it."""

    identifier: str
    created: float
    accessed: float
    active: int = 0


class PoolFullError(Exception):
    """Every session is allocated."""


class Registry:
    """At most `max_sessions` leases; one idle for `cooldown` seconds expires."""

    def __init__(self, max_sessions: int, cooldown: float) -> None:
        self.max_sessions, self.cooldown = max_sessions, cooldown
        self._leases: dict[str, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._leases

    def leases(self) -> list[Lease]:
        """Return the leases, oldest first."""
        return list(self._leases.values())

    def get(self, identifier: str) -> Lease | None:
        """Return the lease of an identifier without touching it."""
        return self._leases.get(identifier)

    def allocate(self, identifier: str, now: float) -> Lease:
        """Return the identifier's lease, making it if there is none.

        Raises:
            PoolFullError: there is none and no room for one.
        """
        lease = self._leases.get(identifier)
        if lease is None:
            if len(self._leases) >= self.max_sessions:
                raise PoolFullError
            lease = self._leases[identifier] = Lease(identifier, created=now, accessed=now)
        return lease

    def begin(self, lease: Lease, now: float) -> None:
        """Note that a request starts: a session in use never expires."""
        lease.active += 1
        lease.accessed = now

    def finish(self, lease: Lease, now: float) -> None:
        """Note that a request ended, which restarts the cooldown."""
        lease.active -= 1
        lease.accessed = now

    def release(self, identifier: str) -> bool:
        """Free an identifier; tell whether it held a session."""
        return self._leases.pop(identifier, None) is not None

    def expire(self, now: float) -> list[str]:
        """Free what was idle for the cooldown and return those identifiers."""
        idle = [
            lease.identifier
            for lease in self._leases.values()
            if not lease.active and now - lease.accessed >= self.cooldown
        ]
        for identifier in idle:
            del self._leases[identifier]
        return idle
