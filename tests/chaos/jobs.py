"""The jobs of a run, drawn from its seed: a mix of what people send, and of what they should not send."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.chaos.records import Expected

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

BATCH = "chaos"
NAMELESS_BATCH = "default"
PROGRAMS = {
    f"submissions/{BATCH}/echo-{number}.js": b"// program %d\nconsole.log(process.argv[2]);\n" % number
    for number in range(8)
}
_MISSING = f"submissions/{BATCH}/missing.js"
_ECHO = {"inline": "console.log(process.argv[2])"}
_MANY_BYTES = 300_000


@dataclass(frozen=True)
class Planned:
    """A job, its messages, and what must come of it; None where the message names no job."""

    name: str
    kind: str
    expected: Expected | None
    messages: tuple[tuple[str, bytes], ...]  # message id, body


@dataclass(frozen=True)
class Draft:
    """A job before it has a name: its fields, and what must come of it."""

    fields: dict[str, Any] = field(default_factory=dict)
    expected: Expected = field(default_factory=lambda: Expected("succeeded"))


def mark(name: str) -> str:
    """What a program prints and the relay before the pool finds in the request, to know the job by."""
    return f"mark-{name}-end"


def plan(random: Random, count: int) -> list[Planned]:
    """Draw the jobs of a run."""
    kinds, weights = zip(*_WEIGHTS.items(), strict=True)
    return [
        _planned(random, f"s{number:04d}", kind)
        for number, kind in enumerate(_kinds(random, kinds, weights, count))
    ]


def _kinds(random: Random, kinds: tuple[str, ...], weights: tuple[float, ...], count: int) -> list[str]:
    """Each kind once if there is room, the rest by weight."""
    drawn = [*kinds, *random.choices(kinds, weights, k=max(0, count - len(kinds)))][:count]
    random.shuffle(drawn)
    return drawn


def _planned(random: Random, name: str, kind: str) -> Planned:
    if kind in _BAD_BODIES:
        return Planned(name, kind, None, ((name, _BAD_BODIES[kind]),))
    draft = _DRAFTS[kind](random, name)
    body = json.dumps({"version": 1, "id": name, "batch": BATCH, **draft.fields}).encode()
    ids = {"same-id": (name, name), "other-id": (name, f"{name}-again")}.get(_sent(random), (name,))
    expected = replace(draft.expected, once=len(ids) == 1)
    return Planned(name, kind, expected, tuple((message_id, body) for message_id in ids))


def _sent(random: Random) -> str:
    return random.choices(("once", "same-id", "other-id"), (94, 3, 3))[0]


def _echo(_random: Random, name: str, **fields: Any) -> Draft:  # noqa: ANN401 - a job's own
    return Draft({"code": _ECHO, "args": [mark(name)], **fields}, Expected("succeeded", f"{mark(name)}\n", 0))


def _cell(_random: Random, name: str, code: str = "", **fields: Any) -> Draft:  # noqa: ANN401 - a job's own
    text = f"console.log('{mark(name)}'); {code}"
    return Draft(
        {"code": {"inline": text}, "mode": "cell", **fields}, Expected("succeeded", f"{mark(name)}\n")
    )


def _keyed(random: Random, name: str) -> Draft:
    make = random.choice((_echo, _cell))
    return make(random, name, session={"policy": "keyed", "key": f"k{random.randrange(6)}"})


def _shared(random: Random, name: str) -> Draft:
    return random.choice((_echo, _cell))(random, name, session={"policy": "shared"})


def _blob(random: Random, name: str) -> Draft:
    return _echo(random, name, code={"blob": random.choice(list(PROGRAMS))})


def _slow(random: Random, name: str) -> Draft:
    code = f"setTimeout(() => console.log(process.argv[2]), {random.randrange(200, 700)})"
    return _echo(random, name, code={"inline": code})


def _cases(_random: Random, name: str, *, right: bool = True) -> Draft:
    code = "process.stdin.on('data', (text) => console.log(Number(text) * 2))"
    cases = [
        {"name": f"c{n}", "stdin": f"{n}", "expect": {"stdout": f"{n * 2 + (0 if right or n else 1)}\n"}}
        for n in range(3)
    ]
    fields = {"code": {"inline": code}, "args": [mark(name)], "cases": cases}
    return Draft(fields, Expected("succeeded", verdict="accepted" if right else "partial"))


def _wrong(random: Random, name: str) -> Draft:
    return _cases(random, name, right=False)


def _ending(
    status: str, code: str, exit_code: int | None = None, **limits: float
) -> Callable[[Random, str], Draft]:
    def draft(_random: Random, name: str) -> Draft:
        fields = {"code": {"inline": code}, "args": [mark(name)], "limits": limits}
        return Draft(fields, Expected(status, exit_code=exit_code))

    return draft


def _throwing_cell(random: Random, name: str) -> Draft:
    return Draft(_cell(random, name, "throw new Error('on purpose')").fields, Expected("failed"))


def _killing_cell(random: Random, name: str) -> Draft:
    return Draft(
        _cell(random, name, "process.exit(1)").fields, Expected("infrastructure_failed", healthy=False)
    )


def _rejected(_random: Random, name: str, **fields: Any) -> Draft:  # noqa: ANN401 - a job's own
    return Draft({"code": _ECHO, "args": [mark(name)], **fields}, Expected("rejected", healthy=False))


_DRAFTS: dict[str, Callable[[Random, str], Draft]] = {
    "echo": _echo,
    "cell": _cell,
    "keyed": _keyed,
    "shared": _shared,
    "blob": _blob,
    "slow": _slow,
    "cases": _cases,
    "wrong": _wrong,
    "fails": _ending("failed", "process.exit(3)", 3),
    "throws": _ending("failed", "throw new Error('on purpose')", 1),
    "throwing cell": _throwing_cell,
    "exits": _ending("succeeded", "setInterval(() => {}, 1e6); process.exit(0)", 0),
    "loops": _ending("timed_out", "for (;;) {}", timeout_seconds=1),
    "prints much": _ending("succeeded", f"process.stdout.write('x'.repeat({_MANY_BYTES}))", 0),
    "prints too much": _ending("output_limit", "for (;;) console.log('x'.repeat(1000))", output_bytes=20_000),
    "kills its kernel": _killing_cell,
    "missing blob": lambda random, name: _rejected(random, name, code={"blob": _MISSING}),
    "unknown field": lambda random, name: _rejected(random, name, colour="red"),
    "above a limit": lambda random, name: _rejected(random, name, limits={"timeout_seconds": 1e6}),
}
_BAD_BODIES = {"no JSON": b"console.log(1)", "no id": b'{"version": 1, "code": {"inline": "1"}}'}
_WEIGHTS = {
    "echo": 30.0,
    "cell": 25.0,
    "keyed": 9.0,
    "shared": 9.0,
    "blob": 10.0,
    "slow": 5.0,
    "cases": 3.0,
    "wrong": 1.0,
    "fails": 1.5,
    "throws": 1.0,
    "throwing cell": 1.0,
    "exits": 1.0,
    "loops": 0.6,
    "prints much": 0.6,
    "prints too much": 0.6,
    "kills its kernel": 0.2,
    "missing blob": 0.4,
    "unknown field": 0.4,
    "above a limit": 0.3,
    "no JSON": 0.3,
    "no id": 0.3,
}
