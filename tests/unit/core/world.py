"""A queue, an account and a pool that live as long as a test, and worker processes that come and go."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.unit.core.calls import Calls
from tests.unit.core.fake_blobs import Account, FakeBlobs
from tests.unit.core.fake_endings import endings
from tests.unit.core.fake_pool import FakePool, Pool
from tests.unit.core.fake_queue import FakeJobQueues, FakeReceiver, Queue, Sent
from worker.admission import Admissions
from worker.breaker import Breaker
from worker.cancelling import Cancellations
from worker.committing import Committer
from worker.identifiers import Identifiers
from worker.inputs import InputFetcher
from worker.intake import Intake
from worker.job_run import Services
from worker.lifecycle import Duty, Worker
from worker.observing import SILENT
from worker.permits import Permits
from worker.processor import Processor
from worker.progress import Progress
from worker.result import Result
from worker.routing import Router
from worker.session_leases import SessionLeases
from worker.settings import WorkerSettings
from worker.shares import Shares
from worker.slot import Slot
from worker.suspects import Company, Suspects
from worker.vitals import Vitals

if TYPE_CHECKING:
    from worker.delivery import Delivery
    from worker.observing import Observer
    from worker.routes import RoutesFile
    from worker.settlement import History, Settlement
    from worker.slot import Handler

IDENTIFIERS = Identifiers(b"a secret of the deployment")


def settings(**values: object) -> WorkerSettings:
    given: dict[str, object] = {
        "pool_endpoint": "http://pool.example",
        "max_sessions": 2,
        "lookahead": 1,
        "instance": "here",
    }
    return WorkerSettings.model_validate(given | values)


def job(job_id: str = "j1", program: dict[str, Any] | None = None, **fields: object) -> dict[str, Any]:
    return {"version": 1, "id": job_id, "code": {"inline": json.dumps(program or {})}} | fields


class Process:
    """A worker process, put together as ``worker.app`` does."""

    blobs_class = FakeBlobs
    pool_class = FakePool
    receiver_class = FakeReceiver

    def __init__(self, world: World, calls: Calls | None = None, **values: object) -> None:
        self.calls, self.settings = calls or Calls(), settings(**values)
        self.blobs = self.blobs_class(world.account, self.calls)
        self.permits = Permits(0 if self.settings.permit_leases else self.settings.max_sessions)
        self.pool, self.identifiers = self.pool_class(world.pool, self.calls), self.new_identifiers()
        self.leases = SessionLeases(self.pool, self.permits, self.identifiers, self.settings, world.observer)
        self.vitals, container = Vitals(), self.settings.results_container
        self.cancellations = Cancellations(self.blobs, container)
        self.committer = Committer(
            self.blobs, container, Progress(self.blobs, container), self.settings.wait_in_hand_seconds
        )
        self.services = Services(
            store=self.blobs,
            inputs=InputFetcher(self.blobs, self.settings),
            leases=self.leases,
            committer=self.committer,
            endings=endings(
                self.committer, self.blobs, world.queue, self.calls, self.settings, world.observer
            ),
            breaker=Breaker("services", self.vitals),
            company=Company(),
            suspects=Suspects(self.blobs, container),
            cancellations=self.cancellations,
            admissions=Admissions(self.blobs, container),
            vitals=self.vitals,
            settings=self.settings,
            shares=Shares(self.settings.fair_lookahead, lambda: self.permits.limit, self.settings.beyond),
            observer=world.observer,
        )
        self._queue = world.queue
        self.job_queues = FakeJobQueues(world.queue, self.calls)
        router = Router(world.routes, self.job_queues, self.blobs, self.services.endings, self.settings)
        self.processor = Processor(self.services, router)
        self.worker = Worker(self.services, self.permits, self.processor, self.receiver, self.duties())
        self.stop = asyncio.Event()

    def new_identifiers(self) -> Identifiers:
        return IDENTIFIERS

    def duties(self) -> list[Duty]:
        """What goes on beside the jobs; nothing in most tests."""
        return []

    def receiver(self) -> FakeReceiver:
        return self.receiver_class(self._queue, self.calls)

    def slot(self, handler: Handler, *, drain: bool = False) -> Slot:
        """A slot of this process with a handler of the test's own; stopped as the process is."""
        queue = Breaker("receiving", self.vitals, failures=1, parties=1)
        self.intake = Intake(self.stop, queue, self.services.breaker, self.permits, look_ahead=1)
        return Slot("slot", self.receiver(), handler, self.intake, self.vitals, drain=drain)

    async def drain(self) -> int:
        """Work until the queue is empty."""
        return await self.worker.run(self.stop, drain=True)

    async def process_one(self) -> Settlement:
        """Receive a message, process it and settle it, without a slot around."""
        receiver = self.receiver()
        delivery = await receiver.receive()
        assert delivery is not None
        settlement = await self.processor.process(delivery)
        await receiver.settle(delivery, settlement)
        return settlement

    async def take(self) -> Delivery:
        """Receive a message."""
        delivery = await self.receiver().receive()
        assert delivery is not None
        return delivery


class World:
    def __init__(self, max_sessions: int = 2) -> None:
        self.account, self.pool, self.queue = Account(), Pool(max_sessions), Queue()
        self.processes: list[Process] = []
        self.routes: RoutesFile | None = None
        self.observer: Observer = SILENT

    def process(self, **values: object) -> Process:
        process = Process(self, None, **({"max_sessions": self.pool.max_sessions} | values))
        self.processes.append(process)
        return process

    def send(self, body: dict[str, Any] | bytes | None, history: History | None = None) -> int:
        """Send a job, or a body as it is; returns the message's number."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        message_id = str(body["id"]) if isinstance(body, dict) else "m"
        sent = Sent(data, message_id, history) if history else Sent(data, message_id)
        return self.queue.send(sent)

    def result(self, job_id: str = "j1", batch: str = "default") -> Result:
        return Result.model_validate_json(self.account.find(f"results/{batch}/{job_id}/result.json").data)

    def results(self) -> list[str]:
        """The ids of the jobs that have one."""
        return [name.split("/")[2] for name in self.account.blobs if name.endswith("/result.json")]

    def progress(self, batch: str = "default") -> list[dict[str, Any]]:
        prefix = f"results/{batch}/_batch/progress-"
        blobs = sorted(name for name in self.account.blobs if name.startswith(prefix))
        return [json.loads(line) for name in blobs for line in self.account.blobs[name].data.splitlines()]

    async def check(self) -> None:
        """What must hold after every test, whatever it did."""
        await settled_tasks()
        for process in self.processes:
            if not process.calls.crashed.is_set():
                assert not process.permits._in_use, "a permit is out"
        assert not list(self.pool.sessions), "a session is allocated"
        assert self.pool.violations == []
        assert self.pool.peak <= self.pool.max_sessions
        assert self.queue.left == [], "a message is not settled"
        settled = Counter((number, count) for number, count, _ in self.queue.settled)
        assert all(times == 1 for times in settled.values()), "a delivery was settled twice"


async def settled_tasks() -> None:
    """Let what was begun on the side come to its end; nothing may be left then."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=600)
    assert asyncio.all_tasks() == {asyncio.current_task()}, "a task is left"
