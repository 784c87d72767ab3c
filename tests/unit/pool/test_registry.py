import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from worker.local.pool.registry import Lease, PoolFullError, Registry

IDENTIFIERS = st.sampled_from([f"session-{n}" for n in range(6)])
COOLDOWN = 10.0


class RegistryMachine(RuleBasedStateMachine):
    """Any order of requests, releases and time."""

    @initialize(maximum=st.integers(1, 4))
    def start(self, maximum: int) -> None:
        self.now = 0.0
        self.registry = Registry(maximum, COOLDOWN)
        self.running: list[Lease] = []

    @rule(identifier=IDENTIFIERS)
    def request(self, identifier: str) -> None:
        is_known, is_full = identifier in self.registry, len(self.registry) == self.registry.max_sessions
        try:
            lease = self.registry.allocate(identifier, self.now)
        except PoolFullError:
            assert is_full
            assert not is_known
            return
        assert is_known or not is_full
        self.registry.begin(lease, self.now)
        self.running.append(lease)

    @precondition(lambda self: self.running)
    @rule(index=st.integers(0, 99))
    def answer(self, index: int) -> None:
        self.registry.finish(self.running.pop(index % len(self.running)), self.now)

    @rule(identifier=IDENTIFIERS)
    def release(self, identifier: str) -> None:
        was_there = identifier in self.registry
        assert self.registry.release(identifier) is was_there
        assert identifier not in self.registry

    @rule(seconds=st.floats(0, 15))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        idle = {lease.identifier for lease in self.registry.leases() if not lease.active}
        expired = self.registry.expire(self.now)
        assert set(expired) <= idle
        assert not set(expired) & {lease.identifier for lease in self.registry.leases()}

    @invariant()
    def there_are_never_more_sessions_than_the_maximum(self) -> None:
        if hasattr(self, "registry"):
            assert len(self.registry) <= self.registry.max_sessions

    @invariant()
    def what_is_left_is_in_use_or_within_the_cooldown(self) -> None:
        if hasattr(self, "registry"):
            self.registry.expire(self.now)
            assert all(
                lease.active or self.now - lease.accessed < COOLDOWN for lease in self.registry.leases()
            )


TestRegistry = RegistryMachine.TestCase


def test_a_request_restarts_the_cooldown() -> None:
    registry = Registry(1, COOLDOWN)
    lease = registry.allocate("test", 0.0)
    registry.begin(lease, 9.0)
    registry.finish(lease, 12.0)
    assert registry.expire(21.9) == []
    assert registry.expire(22.0) == ["test"]


def test_a_full_registry_still_gives_what_it_has() -> None:
    registry = Registry(1, COOLDOWN)
    lease = registry.allocate("test", 0.0)
    assert registry.allocate("test", 1.0) is lease
    with pytest.raises(PoolFullError):
        registry.allocate("other", 1.0)
