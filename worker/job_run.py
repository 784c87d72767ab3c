"""One job's way through fetching, executing and storing, to its result."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.cell import run_cell
from worker.checking import check
from worker.clock import now
from worker.faults import CapacityFault, InfrastructureFault, JobRejected
from worker.grading import Grading, score_of, verdict_of
from worker.observing import SILENT
from worker.patience import with_patience
from worker.permits import SHARED
from worker.program import growing, packed, run_program
from worker.result import Error, Result, SessionUse, Timings
from worker.shares import Shares
from worker.storing import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from worker.admission import Admissions
    from worker.attempt import Attempt
    from worker.breaker import Breaker
    from worker.cancelling import Cancellations
    from worker.committing import Committer
    from worker.delivery import Delivery
    from worker.endings import Endings
    from worker.inputs import InputFetcher, Inputs, Run
    from worker.job import Job
    from worker.lease import Lease
    from worker.observing import Observer
    from worker.ran import Ran
    from worker.session_leases import SessionLeases
    from worker.settings import WorkerSettings
    from worker.storing import Writes
    from worker.suspects import Company, Suspects
    from worker.vitals import Vitals


@dataclass(frozen=True)
class Services:
    """What a job needs of the worker."""

    store: Writes
    inputs: InputFetcher
    leases: SessionLeases
    committer: Committer
    endings: Endings
    breaker: Breaker
    company: Company
    suspects: Suspects
    cancellations: Cancellations
    admissions: Admissions
    vitals: Vitals
    settings: WorkerSettings
    shares: Shares = field(default_factory=Shares)
    observer: Observer = SILENT


def session_tag(job: Job, delivery: Delivery) -> str:
    """What the sessions of all deliveries of one message have in common.

    Not those of its copies: a copy and its original may both be alive, when the completion of the original
    was lost, and must not end each other's runs again and again.
    """
    return f"{job.batch}/{job.id}/{delivery.sequence_number}"


class JobRun:
    """Runs one valid job once."""

    def __init__(self, services: Services, delivery: Delivery, attempt: Attempt, job: Job) -> None:
        self._services, self._settings = services, services.settings
        self._delivery, self._attempt, self._job = delivery, attempt, job
        self._policy = job.session.policy or self._settings.session_policy
        self._clock = _Stopwatch()

    async def result(self) -> Result:
        """Fetch, execute and store; what is returned is not committed yet.

        Raises:
            JobRejected: the job itself cannot run.
            ExecutionLost: the program may have run, but what came of it is not known.
            ServiceFault: it has not run, or what came of it cannot be stored.
        """
        inputs = await with_patience(
            lambda: self._services.inputs.fetch(self._job),
            self._settings.wait_in_hand_seconds,
            CapacityFault,
            InfrastructureFault,
        )
        self._clock.lap("fetch_ms")
        stored = Stored(self._services.store, self._settings, self._job, self._attempt.name)
        grading, lease = await self._execute(inputs, stored)
        await self._check(inputs, grading)
        self._clock.restart()
        await stored.take_from_memory(grading.ran)
        await stored.take_hidden(grading.hidden)
        self._clock.lap("store_ms")
        return self._result(inputs, grading, lease, stored)

    async def _execute(self, inputs: Inputs, stored: Stored) -> tuple[Grading, Lease]:
        """The part under a permit: no longer than the session is needed."""
        async with self._lent(self._owner()) as lease:
            self._clock.lap("wait_ms")
            grading = Grading(inputs.asked)
            for runs in _packs(inputs):
                for ran in await self._run(inputs, runs, lease):
                    await grading.take(ran, lease)
                if grading.is_over:
                    break
            await stored.take_from_session(grading.ran, lease)
        return grading, lease

    async def _check(self, inputs: Inputs, grading: Grading) -> None:
        """The checker's part, in another session: the permit of the first is given back before this one's."""
        if inputs.checker is None or not grading.to_check:
            return
        self._clock.restart()
        async with self._lent(None) as lease:
            await check(inputs.checker, inputs, grading, lease, self._settings)
        self._clock.lap("check_ms")

    def _lent(self, owner: str | None) -> AbstractAsyncContextManager[Lease]:
        # What a dead worker left in the pool is deleted by whoever receives its messages. That takes a free
        # slot, so a job waits for a full pool about as long as a lock, and not all of them equally long.
        patience = self._delivery.lock_seconds * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        return self._services.leases.lend(session_tag(self._job, self._delivery), owner, patience)

    async def _run(self, inputs: Inputs, runs: Sequence[Run], lease: Lease) -> list[Ran]:
        if self._job.mode == "cell":
            return [await run_cell(self._job, inputs, runs[0].bounds, lease)]
        return await run_program(inputs.program, runs, lease, self._settings.max_collect_bytes)

    def _owner(self) -> str | None:
        """Who may use the session after this job."""
        if self._policy == "keyed":
            if not self._job.session.key:
                raise JobRejected("invalid_job", "the policy 'keyed' needs a key", "session.key")
            return f"keyed:{self._job.batch}:{self._job.session.key}"
        return SHARED if self._policy == "shared" else None

    def _result(self, inputs: Inputs, grading: Grading, lease: Lease, stored: Stored) -> Result:
        ran = grading.ran
        timings = Timings(
            queued_ms=_rounded(self._delivery.queued_ms),
            allocate_ms=_rounded(ran.allocate_ms),
            execute_ms=_rounded(ran.execute_ms),
            release_ms=_rounded(lease.release_ms),
            **self._clock.laps,
        )
        return self._attempt.result(
            ran.status,
            self._settings,
            verdict=verdict_of(grading.cases),
            score=score_of(grading.cases),
            cases=grading.cases,
            hidden_blob=stored.hidden_blob,
            exit_code=ran.exit_code,
            signal=ran.signal,
            stdout=stored.streams["stdout"],
            stderr=stored.streams["stderr"],
            value=ran.value,
            error=ran.error or _missing(stored),
            files=tuple(stored.files),
            timings=timings,
            code_sha256=inputs.code_sha256,
            session=SessionUse(policy=self._policy),
        )


def _packs(inputs: Inputs) -> Iterator[Sequence[Run]]:
    """The executions of a job; of one that its first failure ends, small ones first."""
    return packed(inputs.runs, growing()) if inputs.asked.stop_at_first_failure else packed(inputs.runs)


class _Stopwatch:
    """Milliseconds by phase."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.restart()

    def restart(self) -> None:
        self._since = now()

    def lap(self, name: str) -> None:
        self.laps[name] = round((now() - self._since) * 1000, 1)
        self.restart()


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)


def _missing(stored: Stored) -> Error | None:
    if not stored.missing:
        return None
    message = f"files that were asked for did not come: {', '.join(stored.missing)}"
    return Error(code="not_collected", message=message, field="collect")
