"""The local stack as the doctor's tests hurt it, and one examination of it."""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.system.doctor.proxy import proxied
from tests.system.worker.services import eventually
from worker.doctor.checks import checks
from worker.doctor.context import Lines
from worker.doctor.diagnosis import diagnose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from tests.system.doctor.proxy import Alter
    from worker.doctor.finding import Finding, Part

STORAGE, POOL, BUS = (
    "JSWORKER_STORAGE_CONNECTION_STRING",
    "JSWORKER_POOL_ENDPOINT",
    "JSWORKER_SERVICEBUS_CONNECTION_STRING",
)
LINES = Lines(allocation_seconds=0.9, release_seconds=0.5)
_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")


@dataclass
class Stack:
    """A running stack.

    Attributes:
        environment: the settings that it is used with.
        faults: the file that says what goes wrong.
        logs: the folder of the services' logs.
    """

    environment: dict[str, str]
    faults: Path
    logs: Path
    wrong: dict[str, Any] = field(default_factory=dict)

    def have(self, wrong: Mapping[str, Any]) -> None:
        """Let services have just these faults, at once."""
        if wrong == self.wrong:
            return
        before = {role: self._changes(role) for role in {*wrong, *self.wrong}}
        self.faults.write_text(json.dumps(wrong))
        self.wrong = dict(wrong)
        for role, count in before.items():
            eventually(lambda role=role, count=count: self._changes(role) > count, 5)  # type: ignore[misc]

    def _changes(self, role: str) -> int:
        return (self.logs / f"{role}.log").read_text().count('"faults_changed"')


@dataclass(frozen=True)
class Hurt:
    """What is wrong with a stack, or with the settings by which it is reached.

    Attributes:
        settings: those that are other than they should be; None for one that is missing.
        faults: of the stack, by service.
        altered: how answers are changed of the service that a setting leads to.
        lines: what is still well.
    """

    settings: Mapping[str, str | None] = field(default_factory=dict)
    faults: Mapping[str, Any] = field(default_factory=dict)
    altered: Mapping[str, Alter] = field(default_factory=dict)
    lines: Lines = LINES


async def examined(
    stack: Stack, hurt: Hurt, monkeypatch: pytest.MonkeyPatch, only: Part | None = None
) -> list[Finding]:
    """What the doctor finds in a stack that is hurt so."""
    stack.have(hurt.faults)
    environment: dict[str, str | None] = {**stack.environment, **hurt.settings}
    async with AsyncExitStack() as opened:
        for name, alter in hurt.altered.items():
            port = await opened.enter_async_context(proxied(_port(stack.environment[name]), alter))
            environment[name] = _PORT.sub(str(port), stack.environment[name])
        given = {name: value for name, value in environment.items() if value is not None}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        return await diagnose(given, checks(), lambda _check: None, only=only, lines=hurt.lines)


def _port(address: str) -> int:
    found = _PORT.search(address)
    assert found
    return int(found[0])
