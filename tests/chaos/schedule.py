"""What goes wrong when: drawn from the seed, before the run begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

PHASE_SECONDS = (3.0, 7.0)
QUIET_SECONDS = (0.5, 2.0)
FAULTS_A_PHASE = (2, 5)


@dataclass(frozen=True)
class Blow:
    """Something done to a process or to connections, so many seconds after its phase began."""

    after: float
    kind: str
    seconds: float = 0.0
    role: str = ""
    share: float = 0.0


@dataclass(frozen=True)
class Phase:
    """A time in which the services have faults and blows fall; quiet without either."""

    seconds: float
    names: tuple[str, ...] = ()
    faults: dict[str, dict[str, Any]] = field(default_factory=dict)
    blows: tuple[Blow, ...] = ()


def schedule(random: Random, seconds: float, lock_seconds: float) -> list[Phase]:
    """Draw phases for so long: each kind of fault comes once before one of them comes again."""
    kinds = {**_SERVICES, **_processes(lock_seconds), **_CONNECTIONS}
    phases: list[Phase] = []
    deck: list[str] = []
    while sum(phase.seconds for phase in phases) < seconds:
        count = random.randint(*FAULTS_A_PHASE)
        if len(deck) < count:
            deck += random.sample(list(kinds), len(kinds))
        names, deck = tuple(dict.fromkeys(deck[:count])), deck[count:]
        phases.append(_phase(random, names, [kinds[name] for name in names]))
        phases.append(Phase(random.uniform(*QUIET_SECONDS)))
    return phases


def _phase(random: Random, names: tuple[str, ...], kinds: list[_Kind]) -> Phase:
    faults: dict[str, dict[str, Any]] = {}
    blows: list[Blow] = []
    length = random.uniform(*PHASE_SECONDS)
    for kind in kinds:
        drawn = kind(random, length)
        if isinstance(drawn, Blow):
            blows.append(drawn)
        else:
            service, switches = drawn
            faults.setdefault(service, {}).update(switches)
    return Phase(length, names, faults, tuple(sorted(blows, key=lambda blow: blow.after)))


_Drawn = Blow | tuple[str, dict[str, Any]]
_Kind = Callable[[Random, float], _Drawn]


def _rate(service: str, switch: str, low: float, high: float, **more: Any) -> _Kind:  # noqa: ANN401 - a switch's own
    def draw(random: Random, _length: float) -> _Drawn:
        return service, {switch: round(random.uniform(low, high), 3), **more}

    return draw


def _one_of(service: str, switch: str, values: tuple[object, ...]) -> _Kind:
    def draw(random: Random, _length: float) -> _Drawn:
        return service, {switch: random.choice(values)}

    return draw


def _blow(kind: str, low: float = 0.0, high: float = 0.0, role: str = "", share: float = 0.0) -> _Kind:
    def draw(random: Random, length: float) -> _Drawn:
        return Blow(random.uniform(0, length), kind, random.uniform(low, high), role, share)

    return draw


def _full(random: Random, _length: float) -> _Drawn:
    return "pool", {"full_rate": random.uniform(0.1, 0.5), "when_full": random.choice(["429", "404", "500"])}


def _processes(lock_seconds: float) -> dict[str, _Kind]:
    return {
        "worker killed": _blow("kill worker", 0.5, 4),
        "worker killed again": _blow("kill worker", 0.5, 4),
        "worker stopped": _blow("stop worker", 0.5, 4),
        "worker paused": _blow("pause worker", lock_seconds * 1.2, lock_seconds * 1.6),
        "worker paused shortly": _blow("pause worker", lock_seconds * 0.3, lock_seconds * 0.6),
        "broker killed": _blow("kill service", 0.2, 2, "broker"),
        "broker paused": _blow("pause service", 1, 4, "broker"),
    }


# Rates of what costs a job an attempt are low, so that a healthy job does not use all of them up by chance.
_SERVICES: dict[str, _Kind] = {
    "pool full": _full,
    "pool 404": _rate("pool", "missing_rate", 0.05, 0.3),
    "pool 500": _rate("pool", "error_rate", 0.05, 0.3),
    "pool 503": _rate("pool", "unavailable_rate", 0.05, 0.3),
    "pool 500 after the effect": _rate("pool", "error_after_rate", 0.01, 0.06),
    "pool hangs": _rate("pool", "hang_rate", 0.01, 0.05, hang_seconds=8.0),
    "pool sends half": _rate("pool", "half_body_rate", 0.01, 0.06),
    "kernels die": _rate("pool", "kill_kernel_rate", 0.01, 0.06),
    "pool slow": _rate("pool", "latency_seconds", 0.05, 0.4),
    "pool down": _one_of("pool", "down", (True,)),
    "connections dropped": _rate("broker", "drop_connections_rate", 0.05, 0.4),
    "settlements withheld": _rate("broker", "withhold_settlement_rate", 0.05, 0.3),
    "settlements lost": _rate("broker", "lose_settlement_rate", 0.05, 0.3),
    "renewals refused": _rate("broker", "refuse_renewal_rate", 0.2, 0.8),
    "duplicate deliveries": _rate("broker", "duplicate_delivery_rate", 0.05, 0.3),
    "broker busy": _rate("broker", "busy_rate", 0.05, 0.3),
    "broker slow": _rate("broker", "latency_seconds", 0.05, 0.3),
    "broker hangs": _one_of("broker", "hang", (True,)),
    "clock steps": _one_of("broker", "clock_skew_seconds", (120.0, -120.0)),
    "blobs 500": _rate("blobs", "error_rate", 0.05, 0.3),
    "blobs 503": _rate("blobs", "busy_rate", 0.05, 0.3),
    "blobs time out after the write": _rate("blobs", "error_after_rate", 0.05, 0.3),
    "blobs drip": _rate("blobs", "slow_body_rate", 0.05, 0.3, slow_body_seconds=1.5),
    "blobs cut": _rate("blobs", "cut_body_rate", 0.05, 0.3),
    "blobs slow": _rate("blobs", "latency_seconds", 0.05, 0.3),
    "blobs down": _one_of("blobs", "down", (True,)),
}
_CONNECTIONS: dict[str, _Kind] = {
    "pool connections cut": _blow("cut", role="pool", share=0.3),
    "broker connections cut": _blow("cut", role="broker", share=0.7),
    "blob connections cut": _blow("cut", role="blobs", share=0.5),
    "pool answers lost": _blow("lose", 2, 4, "pool", 0.03),
    "blob answers lost": _blow("lose", 2, 4, "blobs", 0.15),
    "pool silent": _blow("freeze", 1, 4, "pool"),
    "broker silent": _blow("freeze", 1, 6, "broker"),
    "blobs silent": _blow("freeze", 1, 4, "blobs"),
}
