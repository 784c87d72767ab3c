"""Dead letters run again or removed: whatever interrupts this, no job is lost and none has two ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.calls import Calls
from tests.unit.core.fake_blobs import Account, FakeBlobs
from tests.unit.core.fake_dead_letters import FakeDeadLetters, bury, ended, letters
from tests.unit.core.fake_endings import endings
from tests.unit.core.fake_queue import FakeReceiver, Queue, Sent
from tests.unit.core.virtual_time import VirtualLoop
from tests.unit.core.world import job
from worker.clock import now
from worker.committing import Committer
from worker.dead_letters import Recorder
from worker.faults import InfrastructureFault, LockLost
from worker.local.broker.duplicates import DuplicateWindow
from worker.progress import Progress
from worker.replaying import Pass, Purge, Replay, Tally, replay_id
from worker.result import Result
from worker.seen import Seen
from worker.settlement import Complete, History

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.usefixtures("alone")
GONE = InfrastructureFault("gone")


class Graveyard:
    """Dead letters, an account, and processes that replay, purge, or run jobs."""

    def __init__(self, *, duplicates: bool = False, lock_seconds: float = 60) -> None:
        window = DuplicateWindow(600) if duplicates else None
        self.queue, self.account = Queue(lock_seconds, duplicates=window), Account()
        self.jobs: set[str] = set()
        self.runs: list[str] = []

    def bury(self, job_id: str, reason: str = "MaxDeliveryCountExceeded", **history: Any) -> int:  # noqa: ANN401 - History's own
        self.jobs.add(job_id)
        body = json.dumps(job(job_id)).encode()
        return bury(self.queue, Sent(body, job_id, History(**history)), reason)

    def committer(self, calls: Calls) -> Committer:
        blobs = FakeBlobs(self.account, calls)
        return Committer(blobs, "results", Progress(blobs, "results"), 5)

    def recorder(self, committer: Committer, calls: Calls) -> Recorder:
        ends = endings(committer, FakeBlobs(self.account, calls), self.queue, calls)
        return Recorder(ends, "cli")

    async def replay(
        self, wanted: Iterable[int] | None = None, calls: Calls | None = None, rate: float = 1000
    ) -> Tally:
        calls, tally = calls or Calls(), self.tally(wanted)
        committer, queue = self.committer(calls), FakeDeadLetters(self.queue, calls)
        await Pass(queue, Replay(queue, self.recorder(committer, calls), committer), rate).run(tally)
        return tally

    async def purge(self, wanted: Iterable[int] | None = None, calls: Calls | None = None) -> Tally:
        calls, tally = calls or Calls(), self.tally(wanted)
        queue = FakeDeadLetters(self.queue, calls)
        await Pass(queue, Purge(queue, self.recorder(self.committer(calls), calls)), 1000).run(tally)
        return tally

    def tally(self, wanted: Iterable[int] | None) -> Tally:
        return Tally(set(letters(self.queue) if wanted is None else wanted))

    async def work(self) -> None:
        """Run what is in the queue as a worker does, every job with success."""
        calls = Calls()
        receiver, committer = FakeReceiver(self.queue, calls), self.committer(calls)
        while self.queue.left:
            delivery = await receiver.receive()
            assert delivery
            job_id = json.loads(delivery.body or b"")["id"]
            replaces = delivery.history.replaces
            if not await committer.confirm("default", job_id, replaces):
                self.runs.append(job_id)
                result = Result.model_validate(
                    self.result_of(job_id) | {"status": "succeeded", "error": None}
                )
                await committer.commit(result, f"run-{delivery.sequence_number}", replaces)
            await receiver.settle(delivery, Complete())

    def result_of(self, job_id: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.account.find(f"results/default/{job_id}/result.json").data)
        return document

    def statuses(self) -> dict[str, str]:
        found = {name.split("/")[2] for name in self.account.blobs if name.endswith("result.json")}
        return {job_id: self.result_of(job_id)["status"] for job_id in found}

    def check_none_lost(self, when: str) -> None:
        """Each job has a result, and is in the queue or a dead letter unless that is its own outcome."""
        there = {json.loads(sent.body or b"")["id"] for sent in self.queue.left}
        dead = {
            json.loads(self.queue.sent[message.key].body or b"")["id"]
            for message in self.queue.rules.peek(1, 1000, dead_letters=True)
        }
        succeeded = {job_id for job_id, status in self.statuses().items() if status == "succeeded"}
        assert there | dead | succeeded == self.jobs, when


async def test_a_replayed_job_runs_again_and_its_new_result_takes_the_old_ones_place() -> None:
    yard = Graveyard()
    number = yard.bury("j1", attempts=5, copies=2, setbacks=3, reasons=("a", "b"), origin=7)
    tally = await yard.replay()
    assert (tally.gone, tally.left, letters(yard.queue)) == (1, 0, [])
    (copy,) = yard.queue.left
    etag = yard.account.find("results/default/j1/result.json").etag
    assert (copy.history.attempts, copy.history.setbacks, copy.history.origin) == (0, 0, 7)
    assert (copy.history.copies, copy.history.replaces) == (3, etag)
    assert copy.history.reasons[:2] == ("a", "b")
    assert "MaxDeliveryCountExceeded" in copy.history.reasons[2]
    assert copy.message_id.startswith(f"j1.d3-{number}")
    assert yard.statuses() == {"j1": "infrastructure_failed"}
    await yard.work()
    assert yard.statuses() == {"j1": "succeeded"}


async def test_only_what_is_wanted_is_touched_and_all_else_is_put_back() -> None:
    yard = Graveyard()
    numbers = [yard.bury(f"j{number}") for number in range(100)]
    tally = await yard.replay(numbers[50:55])
    assert (tally.gone, tally.left) == (5, 0)
    assert letters(yard.queue) == numbers[:50] + numbers[55:]
    assert len(yard.queue.left) == 5
    assert not yard.queue.rules._locked


async def test_a_job_with_an_outcome_of_its_own_keeps_it_and_its_letter() -> None:
    yard = Graveyard()
    number = yard.bury("j1")
    await yard.replay()
    await yard.work()
    yard.bury("j1")
    tally = await yard.replay()
    assert (dict(tally.fates), tally.left) == ({"has_an_outcome": 1}, 1)
    assert yard.queue.left == []
    assert letters(yard.queue) != [number]
    assert (await yard.purge()).gone == 1
    assert letters(yard.queue) == []


async def test_a_letter_without_data_cannot_be_copied_and_stays() -> None:
    yard = Graveyard()
    number = bury(yard.queue, Sent(None, "m"))
    assert dict((await yard.replay()).fates) == {"no_data": 1}
    assert letters(yard.queue) == [number]


async def test_what_is_purged_has_a_result_first() -> None:
    yard, calls = Graveyard(), Calls()
    yard.bury("j1")
    assert (await yard.purge(calls=calls)).gone == 1
    assert calls.made.index("create") < calls.made.index("complete")
    assert yard.statuses() == {"j1": "infrastructure_failed"}


async def test_nothing_is_purged_whose_result_cannot_be_written() -> None:
    yard, calls = Graveyard(), Calls()
    number = yard.bury("j1")
    calls.fail("create", *[GONE] * 50)
    with pytest.raises(InfrastructureFault):
        await yard.purge(calls=calls)
    assert letters(yard.queue) == [number]
    assert not yard.queue.rules._locked


@pytest.mark.parametrize("duplicates", [True, False], ids=["duplicates-detected", "not-detected"])
async def test_a_replay_that_crashes_at_any_step_loses_nothing(duplicates: bool) -> None:  # noqa: FBT001 - a parameter
    step = 0
    while True:
        step += 1
        yard, calls = Graveyard(duplicates=duplicates), Calls()
        for number in range(3):
            yard.bury(f"j{number}")
        calls.at_step[step] = calls.crash
        if not await ended(yard.replay(calls=calls), calls):
            break
        yard.check_none_lost(f"crashed at step {step}")
        await asyncio.sleep(61)
        await yard.replay()
        await yard.work()
        assert set(yard.statuses().values()) == {"succeeded"}, f"crashed at step {step}"
        assert sorted(yard.runs) == sorted(yard.jobs), f"crashed at step {step}"
        assert letters(yard.queue) == []
    assert step > 30
    VirtualLoop.unhandled_of_running().clear()


async def test_a_replay_that_is_cancelled_at_any_step_leaves_everything_whole_and_unlocked() -> None:
    step = 0
    while True:
        step += 1
        yard, calls = Graveyard(), Calls()
        for number in range(3):
            yard.bury(f"j{number}")
        replaying = asyncio.create_task(yard.replay(calls=calls))
        calls.at_step[step] = replaying.cancel
        await asyncio.wait({replaying})
        if not replaying.cancelled():
            break
        yard.check_none_lost(f"cancelled at step {step}")
        assert not yard.queue.rules._locked, f"cancelled at step {step}"
        assert len(letters(yard.queue)) + len(yard.queue.left) == 3, f"cancelled at step {step}"
        await yard.work()
        await yard.replay()
        await yard.work()
        assert sorted(yard.runs) == sorted(yard.jobs), f"cancelled at step {step}"
    assert step > 30


@pytest.mark.parametrize("call", ["receive", "metadata", "create", "append", "read", "send", "complete"])
@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_a_replay_whose_calls_fail_loses_nothing(call: str, after_effect: bool) -> None:  # noqa: FBT001 - a parameter
    yard, calls = Graveyard(), Calls()
    for number in range(3):
        yard.bury(f"j{number}")
    calls.fail(call, None, *[GONE] * 10, after_effect=after_effect)
    with suppress(InfrastructureFault):
        await yard.replay(calls=calls)
    yard.check_none_lost(f"{call} failed")
    await asyncio.sleep(61)
    await yard.work()
    await yard.replay()
    await yard.work()
    assert set(yard.statuses().values()) == {"succeeded"}
    assert sorted(yard.runs) == sorted(yard.jobs)


async def test_a_letter_whose_lock_was_lost_after_its_copy_was_sent_is_not_sent_twice() -> None:
    yard, calls = Graveyard(), Calls()
    number = yard.bury("j1")
    step = await _steps_before("complete", yard) + 1
    calls.at_step[step] = lambda: yard.queue.rules.advance(now() + 60)  # the lock passes
    calls.fail("complete", LockLost("lost"))
    tally = await yard.replay([number], calls)
    assert (tally.gone, letters(yard.queue)) == (1, [])
    assert calls.made.count("complete") == 2
    assert calls.made.count("send") == 1


async def _steps_before(call: str, yard: Graveyard) -> int:
    """How many steps a replay like this takes before a call."""
    calls, twin = Calls(), Graveyard()
    for job_id in yard.jobs:
        twin.bury(job_id)
    await twin.replay(calls=calls)
    return 2 * calls.made.index(call)


async def test_a_slow_replay_keeps_to_its_rate_and_loses_no_lock() -> None:
    yard, calls = Graveyard(lock_seconds=30), Calls()
    for number in range(30):
        yard.bury(f"j{number}")
    tally = await yard.replay(calls=calls, rate=0.5)
    assert (tally.gone, calls.made.count("send")) == (30, 30)
    assert 58 <= now() < 90


async def test_letters_that_another_holds_are_left() -> None:
    yard = Graveyard()
    first, second = yard.bury("j1"), yard.bury("j2")
    yard.queue.rules.acquire(yard.queue.advance(), dead_letters=True)
    tally = await yard.replay()
    assert (tally.gone, tally.left, tally.wanted) == (1, 1, {first})
    assert letters(yard.queue) == [first]
    assert second not in tally.wanted


async def test_a_service_that_is_slow_to_give_a_letter_out_does_not_end_a_replay() -> None:
    yard, calls = Graveyard(), Calls()
    yard.bury("j1")
    token = yard.queue.rules.acquire(yard.queue.advance(), dead_letters=True).token  # type: ignore[union-attr] # there is one
    replaying = asyncio.create_task(yard.replay(calls=calls))
    await asyncio.sleep(2.5)
    yard.queue.rules.abandon(token or b"", yard.queue.advance())
    assert (await replaying).gone == 1
    assert calls.made.count("receive") == 4


async def test_two_replays_at_once_run_each_job_once() -> None:
    yard = Graveyard()
    for number in range(50):
        yard.bury(f"j{number}")
    tallies = await asyncio.gather(yard.replay(), yard.replay())
    assert sum(tally.gone for tally in tallies) == 50
    await yard.work()
    assert sorted(yard.runs) == sorted(yard.jobs)


def test_the_id_of_a_copy_is_its_own_for_each_letter_and_result_and_never_grows() -> None:
    letter = Seen(9, "b/j1.r2-5.d3-7-0a1b2c3d.r1-8", history=History(copies=4))
    ids = {replay_id(letter, etag) for etag in (None, '"1"', '"2"', '"1"')}
    assert len(ids) == 3
    assert replay_id(letter, None) == "b/j1.d5-9"
    long = Seen(9, "x" * 128, history=History(copies=4))
    assert len(replay_id(long, '"1"')) <= 128
