"""The three services as processes of this one, each behind a relay, killed and started again at will."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from tests.chaos.executions import Journal
from tests.chaos.relay import Relay
from worker.local import azurite, roles
from worker.local.config import StackConfig
from worker.local.state import StateDirectory, write_private
from worker.local.supervised import Child, StackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from random import Random

    from worker.local.supervised import Command

ROLES = ("broker", "pool", "blobs")
QUEUE = "jobs"
STARTS = 3
COOLDOWN_SECONDS = 30  # short, so that the permit of a session that nobody could delete comes back in the run


class Stack:
    """A local stack that may lose its parts; its supervisor would end with the first of them.

    Attributes:
        environment: the settings of a worker that uses it through the relays.
        direct: the same, past the relays, for whoever looks on.
        journal: what the pool was asked to execute.
    """

    def __init__(
        self, folder: Path, random: Random, queues: Sequence[Mapping[str, Any]], pool_sessions: int
    ) -> None:
        self.journal = Journal()
        self.relays = {role: Relay(random, self.journal.watch if role == "pool" else None) for role in ROLES}
        self.environment: dict[str, str] = {}
        self.direct: dict[str, str] = {}
        self._state = StateDirectory(folder / "state")
        self._faults = self._state.faults_link
        self._config = StackConfig(
            state_dir=self._state.path,
            max_sessions=pool_sessions,
            cooldown_seconds=COOLDOWN_SECONDS,
            spares=2,
            faults_file=self._faults,
        )
        self._queues = [{"name": QUEUE, **queue} for queue in queues]
        self._children: dict[str, Child] = {}
        self._starts = 0

    async def __aenter__(self) -> Self:
        self._state.path.mkdir(parents=True)
        self.set_faults({})
        write_private(self._state.queues_file, json.dumps({"queues": self._queues}))
        try:
            for relay in self.relays.values():
                await relay.start()
            await asyncio.gather(*(self.start(role) for role in ROLES))
            await self._make_ready()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for relay in self.relays.values():
            relay.close()
        await asyncio.gather(*(self._end(child) for child in self._children.values()))

    def set_faults(self, faults: dict[str, Any]) -> None:
        """What the services do wrong from now on; nothing else."""
        draft = self._faults.with_suffix(".new")
        draft.write_text(json.dumps(faults))
        draft.replace(self._faults)

    async def start(self, role: str) -> None:
        """Start a service, again on the port and with the data that it had."""
        command = roles.commands(self._config, self._state)[role]
        self._starts += 1
        log = command.log.with_stem(f"{command.log.stem}-{self._starts}")
        child = self._children[role] = await _started(replace(command, log=log))
        self.relays[role].target = child.port
        self._state.record({name: one.port for name, one in self._children.items()}, {}, {})

    async def kill(self, role: str) -> None:
        """Kill a service without a warning, and wait for its end."""
        self.signal(role, signal.SIGKILL)
        await self._children[role].ended()

    def signal(self, role: str, number: signal.Signals) -> None:
        """Stop or go on, for instance."""
        with suppress(ProcessLookupError):
            os.kill(self._children[role].pid, number)

    def pid(self, role: str) -> int:
        """Of a service."""
        return self._children[role].pid

    async def _end(self, child: Child) -> None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGCONT)
        await child.stop()

    async def _make_ready(self) -> None:
        containers = (*roles.CODE_CONTAINERS, roles.RESULTS_CONTAINER)
        key = self._state.key("storage").read_text()
        await asyncio.to_thread(azurite.create_containers, self._children["blobs"].port, key, containers)
        self.direct = roles.environment(self._config, self._state, self._children)
        self.environment = self._through_relays(self.direct)

    def _through_relays(self, direct: dict[str, str]) -> dict[str, str]:
        environment = dict(direct)
        for role, relay in self.relays.items():
            old, new = f"127.0.0.1:{self._children[role].port}", f"127.0.0.1:{relay.port}"
            environment = {name: value.replace(old, new) for name, value in environment.items()}
        return environment


async def _started(command: Command) -> Child:
    """Its faults may cut the very connection over which a service is asked whether it is ready."""
    for _ in range(STARTS - 1):
        with suppress(StackError):
            return await Child.start(command)
    return await Child.start(command)
