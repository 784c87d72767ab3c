"""The processes of a scenario: started, killed, stopped, paused and started again, until all work is done."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.deployed import Deployed
from tests.simulation.processes_loop import ProcessesLoop
from tests.simulation.weather import StormyCalls
from tests.unit.core.calls import Crash
from tests.unit.core.fake_pool import Pool
from tests.unit.core.fake_queue import Queue, Sent
from tests.unit.core.recorded_account import RecordedAccount
from tests.unit.core.world import World
from worker.local.broker.duplicates import DuplicateWindow

if TYPE_CHECKING:
    from tests.simulation.scenario import Event, Scenario, SimJob

LOOK_SECONDS = 5.0
LONGEST_SECONDS = 12 * 3600.0  # for what is left when nothing more happens from outside
PLATFORM_STOP_SECONDS = 75.0  # after which a process that was asked to stop is killed
DUPLICATES_SECONDS = 600.0


@dataclass
class Run:
    """All that is known of a simulation when it is over."""

    scenario: Scenario
    world: World
    account: RecordedAccount
    finished: bool = False
    seconds: float = 0.0
    statuses: list[int] = field(default_factory=list)
    kills: int = 0
    unhandled: list[str] = field(default_factory=list)

    @property
    def calls(self) -> list[StormyCalls]:
        return [process.calls for process in self.world.processes if isinstance(process.calls, StormyCalls)]


class Fleet:
    def __init__(self, scenario: Scenario, process_class: type[Deployed]) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProcessesLoop)
        self._loop, self._scenario, self._process_class = loop, scenario, process_class
        self._rng = random.Random(f"{scenario.seed} as it goes")  # noqa: S311 - repeatable on purpose
        self._over = asyncio.Event()
        self._living: dict[int, Deployed] = {}
        self._frozen: set[object] = set()
        account, world = RecordedAccount(), World()
        world.account, world.pool = account, Pool(sum(scenario.sizes))
        duplicates = DuplicateWindow(DUPLICATES_SECONDS) if scenario.detects_duplicates else None
        world.queue = Queue(scenario.lock_seconds, duplicates=duplicates)
        self._world, self.run = world, Run(scenario, world, account)

    async def live(self) -> Run:
        begun = [asyncio.create_task(self._send(job)) for job in self._scenario.jobs]
        begun += [asyncio.create_task(self._happen(event)) for event in self._scenario.events]
        lives = [asyncio.create_task(self._lives(index)) for index in range(len(self._scenario.sizes))]
        await asyncio.gather(*begun)
        await self._all_is_done()
        self._over.set()
        for process in self._living.values():
            process.stop.set()
        await asyncio.gather(*lives)
        self.run.seconds = self._loop.time()
        self.run.unhandled = [str(each) for each in self._loop.unhandled if not _is_crash(each)]
        return self.run

    async def _all_is_done(self) -> None:
        await _sleep_until(self._scenario.quiet_from)
        deadline = self._loop.time() + LONGEST_SECONDS
        while not self.run.finished and self._loop.time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            self._world.queue.advance()
            self.run.finished = not self._world.queue.left

    async def _send(self, job: SimJob) -> None:
        for at, message_id in job.sends:
            await _sleep_until(at)
            self._world.queue.send(Sent(job.body, message_id))

    async def _lives(self, index: int) -> None:
        lives = 0
        while not self._over.is_set():
            lives += 1
            process = self._living[index] = self._new(index, lives)
            await self._life(process)
            pause = self._rng.uniform(1, 30)
            await asyncio.wait({asyncio.create_task(self._over.wait())}, timeout=pause)

    def _new(self, index: int, number: int) -> Deployed:
        scenario = self._scenario
        rng = random.Random(f"{scenario.seed} {index} {number}")  # noqa: S311 - as above
        name = f"{index}.{number}"
        process = self._process_class(
            self._world,
            StormyCalls(name, scenario.windows, rng),
            max_sessions=scenario.sizes[index],
            instance=f"worker-{index}",
            permit_leases=scenario.leases,
            max_inline_output_bytes=100,
        )
        process.calls.clock_behind_seconds = scenario.clocks_behind[index]
        self._world.processes.append(process)
        return process

    async def _life(self, process: Deployed) -> None:
        calls = process.calls
        work = self._loop.spawn(calls, process.run())
        crash = asyncio.create_task(calls.crashed.wait())
        await asyncio.wait({work, crash}, return_when=asyncio.FIRST_COMPLETED)
        if calls.crashed.is_set():
            self.run.kills += 1
        else:
            self.run.statuses.append(work.result())
        crash.cancel()
        await self._bury(calls)

    async def _bury(self, process: object) -> None:
        """Nothing of the process goes on; each of its calls would raise ``Crash``."""
        self._loop.thaw(process)
        while tasks := self._loop.tasks_of(process):
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0)

    async def _happen(self, event: Event) -> None:
        await _sleep_until(event.at)
        process = self._living[event.process]
        match event.deed:
            case "kill":
                process.calls.crash()
            case "kill_at_step":
                process.calls.at_step[process.calls.steps + int(event.amount)] = process.calls.crash
            case "stop":
                process.stop.set()
                await asyncio.sleep(PLATFORM_STOP_SECONDS)
                if process in self._living.values():
                    process.calls.crash()
            case "pause":
                await self._pause(process.calls, event.amount)
            case "jump":
                self._loop.jump(event.amount)
            case "crowd":
                await self._crowd(event)

    async def _pause(self, process: object, seconds: float) -> None:
        if process not in self._frozen:
            self._frozen.add(process)
            self._loop.freeze(process)
            await asyncio.sleep(seconds)
            self._loop.thaw(process)
            self._frozen.discard(process)

    async def _crowd(self, event: Event) -> None:
        """Others take what is free in the pool, and keep it for a while."""
        pool = self._world.pool
        names = [f"other-{event.at}-{n}" for n in range(pool.max_sessions - len(pool.sessions))]
        for name in names:
            pool.use(name).used_at = self._loop.time() + event.amount
        await asyncio.sleep(event.amount)
        for name in names:
            pool.delete(name)


def _is_crash(context: dict[str, object]) -> bool:
    return isinstance(context.get("exception"), Crash)


async def _sleep_until(time: float) -> None:
    await asyncio.sleep(max(0.0, time - asyncio.get_running_loop().time()))


def simulate(scenario: Scenario, process_class: type[Deployed] = Deployed) -> Run:
    """Run a scenario from beginning to end; the same seed takes the same course."""
    state = random.getstate()
    random.seed(scenario.seed)
    try:
        with asyncio.Runner(loop_factory=ProcessesLoop) as runner:
            return runner.run(_simulate(scenario, process_class))
    finally:
        random.setstate(state)


async def _simulate(scenario: Scenario, process_class: type[Deployed]) -> Run:
    return await Fleet(scenario, process_class).live()
