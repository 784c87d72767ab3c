"""The local stack: broker, session pool and blob store on loopback, started together, stopped together.

As a program (`python -m worker.local.stack`) it runs until SIGTERM or SIGINT, or until one of the three dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, NoReturn, Self

from worker.local import azurite, roles
from worker.local.config import StackConfig, parse
from worker.local.faults import FaultsError, read_faults
from worker.local.state import StateDirectory
from worker.local.supervised import Child, Command, StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType


class LocalStack:
    """A local stack that runs inside the context; enter it in the main thread.

    Raises:
        StackError: on entering, when the directory is in use, the faults cannot be read, or one of the three
            does not start.
    """

    def __init__(
        self,
        config: StackConfig,
        commands: Callable[[StackConfig, StateDirectory], dict[str, Command]] = roles.commands,
    ) -> None:
        self.environment: dict[str, str] = {}
        self._config = config
        self._state = StateDirectory(config.state_dir)
        self._commands = commands
        self._children: dict[str, Child] = {}
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._check_faults()
            stack.enter_context(self._state.held())
            stack.push_async_callback(self._stop)
            await self._start()
            await self._make_ready()
            self._begin_faults()
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def failed(self) -> NoReturn:
        """Wait until one of the three has died.

        Raises:
            StackError: which one, and what it said last.
        """
        ends = [asyncio.create_task(child.ended()) for child in self._children.values()]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            raise done.pop().result()
        finally:
            for end in ends:
                end.cancel()

    async def _start(self) -> None:
        commands = self._commands(self._config, self._state)
        try:
            async with asyncio.TaskGroup() as group:
                for role, command in commands.items():
                    group.create_task(self._start_child(role, command))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _start_child(self, role: str, command: Command) -> None:
        self._children[role] = await Child.start(command)

    async def _make_ready(self) -> None:
        key = self._state.key("storage").read_text()
        containers = (*roles.CODE_CONTAINERS, roles.RESULTS_CONTAINER)
        await asyncio.to_thread(azurite.create_containers, self._children["blobs"].port, key, containers)
        self.environment = roles.environment(self._config, self._state, self._children)
        self._state.record(
            ports=roles.ports(self._children),
            pids={role: child.pid for role, child in self._children.items()},
            environment=self.environment,
        )

    def _check_faults(self) -> None:
        try:
            if self._config.faults_file:
                read_faults(self._config.faults_file)
        except FaultsError as error:
            raise StackError(str(error)) from error

    def _begin_faults(self) -> None:
        """Only now: a stack whose services are down could not be made ready."""
        if self._config.faults_file:
            self._state.begin_faults(self._config.faults_file)

    async def _stop(self) -> None:
        await asyncio.gather(*(child.stop() for child in self._children.values()))


async def _serve(config: StackConfig, announce: Callable[[dict[str, object]], None]) -> None:
    """Run a stack until it is told to stop, by cancellation; the first announcement counts."""
    serving = asyncio.current_task()
    if serving is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    try:
        async with LocalStack(config) as stack:
            announce({"environment": stack.environment})
            await stack.failed()
    except StackError as error:
        announce({"error": str(error)})
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stack as a program; the exit status."""
    config, descriptor = parse(arguments)
    try:
        asyncio.run(_serve(config, _announcer(descriptor)))
    except asyncio.CancelledError:
        return 0
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _announcer(descriptor: int | None) -> Callable[[dict[str, object]], None]:
    """What tells the process that started this one in the background; once, and nobody else."""
    if descriptor is None:
        return lambda _news: None
    pipe = os.fdopen(descriptor, "w")

    def announce(news: dict[str, object]) -> None:
        if not pipe.closed:
            with suppress(BrokenPipeError), pipe:
                json.dump(news, pipe)

    return announce


if __name__ == "__main__":
    sys.exit(main())
