"""What a seed stands for: jobs, faults and the lives of processes, all decided before anything runs."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, Literal

from tests.unit.core.world import job

Kind = Literal["healthy", "failing", "spilling", "rejected", "invalid", "poison"]
Fault = Literal["refused", "hangs", "busy", "denied", "lock_refused", "lossy"]
Deed = Literal["kill", "kill_at_step", "stop", "pause", "jump", "crowd"]
PROFILES = ("calm", "kills", "outage", "pauses", "losses", "full", "poison", "mixed", "leases")
SERVICES = ("pool", "blobs", "queue")
_MOSTLY: tuple[Kind, ...] = ("healthy",) * 8
_POLICIES = ({"policy": "shared"}, {"policy": "keyed", "key": "a"}, {"policy": "keyed", "key": "b"})
_SKEWED = ("pauses", "mixed")
_CLOCKS = (0.0, 0.0, -120.0, -20.0, 20.0, 120.0)


@dataclass(frozen=True)
class SimJob:
    """A job as its owner knows it; ``sends`` are the times and message ids under which it is sent."""

    id: str
    kind: Kind
    body: bytes
    sends: tuple[tuple[float, str], ...]

    @property
    def status(self) -> str:
        """What it must end in."""
        return {
            "failing": "failed",
            "rejected": "rejected",
            "invalid": "rejected",
            "poison": "infrastructure_failed",
        }.get(self.kind, "succeeded")


@dataclass(frozen=True)
class Window:
    """A time in which calls to a service fail, each with a probability."""

    service: str
    fault: Fault
    begins: float
    ends: float
    probability: float = 1.0


@dataclass(frozen=True)
class Event:
    """Something that happens to one process, or (``jump``, ``crowd``) to all."""

    at: float
    deed: Deed
    process: int = 0
    amount: float = 0.0


@dataclass(frozen=True)
class Scenario:
    seed: int
    profile: str
    jobs: tuple[SimJob, ...]
    sizes: tuple[int, ...]
    clocks_behind: tuple[float, ...]
    windows: tuple[Window, ...] = ()
    events: tuple[Event, ...] = ()
    lock_seconds: float = 60
    detects_duplicates: bool = False
    leases: bool = False

    @property
    def quiet_from(self) -> float:
        """When nothing more happens from outside."""
        sends = [at for each in self.jobs for at, _ in each.sends]
        return max([*sends, *(w.ends for w in self.windows), *(e.at + e.amount for e in self.events)])


def scenario(seed: int) -> Scenario:
    """The scenario of a seed; its profile goes round."""
    profile, rng = PROFILES[seed % len(PROFILES)], random.Random(seed)  # noqa: S311 - repeatable on purpose
    span = rng.choice((120.0, 600.0, 1200.0))
    has_leases = profile == "leases" or (profile == "mixed" and rng.random() < 0.3)
    sizes = tuple(rng.randint(1, 3) for _ in range(1 if profile == "outage" else rng.randint(1, 4)))
    if has_leases:
        sizes = (max(sizes),) * len(sizes)  # of all of them together
    jobs = [_job(rng, number, profile, span) for number in range(rng.randint(5, 25))]
    return Scenario(
        seed,
        profile,
        tuple(jobs),
        sizes,
        tuple(rng.choice(_CLOCKS) if profile in _SKEWED else 0.0 for _ in sizes),
        tuple(_windows(rng, profile, span)),
        tuple(_events(rng, profile, span, len(sizes))),
        lock_seconds=rng.choice((60, 60, 120)),
        detects_duplicates=rng.random() < 0.5,
        leases=has_leases,
    )


def _job(rng: random.Random, number: int, profile: str, span: float) -> SimJob:
    kinds: tuple[Kind, ...] = (*_MOSTLY, "failing", "spilling", "rejected", "invalid")
    kind: Kind = rng.choice(kinds)
    if profile in ("poison", "mixed") and number < 2:
        kind = "poison"
    job_id = f"j{number}"
    begins = rng.uniform(0, span) if rng.random() < 0.5 else 0.0
    sends = [(begins, job_id)]
    if kind not in ("invalid", "poison") and rng.random() < 0.15:
        sends.append((begins + rng.uniform(0, 300), rng.choice((job_id, f"{job_id}-again"))))
    return SimJob(job_id, kind, _body(rng, job_id, kind), tuple(sends))


def _body(rng: random.Random, job_id: str, kind: Kind) -> bytes:
    program: dict[str, Any] = {
        "job": job_id,
        "stdout": "out",
        "seconds": round(10 ** rng.uniform(-1, 2.2), 2),
    }
    more: dict[str, Any] = {"session": rng.choice(_POLICIES)} if rng.random() < 0.3 else {}
    match kind:
        case "failing":
            program["exit_code"] = 3
        case "spilling":
            program |= {"stdout": "o" * 300, "files": {"a.txt": "text"}, "spill": True, "stored": True}
            more["collect"] = ["a.txt"]
        case "rejected":
            more["stdin"] = {"blob": "inputs/missing"}
        case "poison":
            program["ends_worker"] = True
        case "invalid":
            return f'{{"version": 1, "id": "{job_id}", '.encode()
    return json.dumps(job(job_id, program, **more)).encode()


def _windows(rng: random.Random, profile: str, span: float) -> list[Window]:
    windows: list[Window] = []
    match profile:
        case "outage":
            fault: Fault = rng.choice(("refused", "refused", "busy", "hangs", "denied"))
            service = rng.choice(SERVICES)
            fault = "refused" if service == "queue" else fault
            windows.append(_window(rng, service, fault, rng.choice((300, 900))))
        case "losses":
            windows += [_lossy(rng, service, span + 600, 0.005, 0.05) for service in SERVICES]
        case "leases" if rng.random() < 0.5:
            windows.append(_window(rng, rng.choice(("pool", "blobs")), "refused", rng.uniform(20, 200)))
        case "full":
            windows.append(_window(rng, "pool", "busy", rng.uniform(60, 900)))
        case "pauses":
            windows.append(_window(rng, "queue", "lock_refused", rng.uniform(20, 200)))
        case "mixed":
            windows += [_lossy(rng, service, span, 0, 0.03) for service in SERVICES]
            windows += [_any_window(rng, rng.choice(SERVICES)) for _ in range(rng.randint(1, 3))]
    return windows


def _lossy(rng: random.Random, service: str, ends: float, least: float, most: float) -> Window:
    return Window(service, "lossy", 0, ends, rng.uniform(least, most))


def _any_window(rng: random.Random, service: str) -> Window:
    faults: tuple[Fault, ...] = ("refused", "busy", "denied", "lock_refused")
    if service != "queue":
        faults = ("refused", "hangs", "busy", "denied")
    return _window(rng, service, rng.choice(faults), rng.choice((30, 300, 900)))


def _window(rng: random.Random, service: str, fault: Fault, seconds: float) -> Window:
    begins = rng.uniform(0, 300)
    return Window(service, fault, begins, begins + seconds, rng.choice((1.0, 1.0, 0.7)))


def _events(rng: random.Random, profile: str, span: float, processes: int) -> list[Event]:
    deeds: dict[str, tuple[Deed, ...]] = {
        "kills": ("kill", "kill_at_step", "kill_at_step"),
        "losses": ("stop",),
        "pauses": ("pause", "pause", "jump"),
        "full": ("crowd", "crowd", "stop"),
        "poison": ("stop",),
        "leases": ("kill", "kill_at_step", "stop"),
        "mixed": ("kill", "kill_at_step", "stop", "pause", "jump", "crowd"),
    }
    chosen = deeds.get(profile, ())
    count = rng.randint(2, 8) if chosen else 0
    return sorted(
        (_event(rng, rng.choice(chosen), span, processes) for _ in range(count)), key=lambda e: e.at
    )


def _event(rng: random.Random, deed: Deed, span: float, processes: int) -> Event:
    least, most = {
        "kill_at_step": (1.0, 60.0),
        "pause": rng.choice(((20.0, 40.0), (60.0, 120.0), (140.0, 260.0))),
        "jump": (10.0, 200.0),
        "crowd": (60.0, 600.0),
    }.get(deed, (0.0, 0.0))
    amount = rng.uniform(least, most)
    return Event(rng.uniform(0, span), deed, rng.randrange(processes), amount)
