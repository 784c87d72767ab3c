"""Each dead letter gets a result within seconds, whoever made it, and remains where it is."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.calls import Calls
from tests.unit.core.fake_blobs import Account, FakeBlobs
from tests.unit.core.fake_dead_letters import FakeBrowser, bury, ended, letters
from tests.unit.core.fake_endings import endings
from tests.unit.core.fake_queue import Queue, Sent
from tests.unit.core.virtual_time import VirtualLoop
from tests.unit.core.world import job
from worker.committing import Committer
from worker.dead_letters import Recorder, Sweeper
from worker.faults import InfrastructureFault
from worker.progress import Progress
from worker.result import Result
from worker.settlement import History

if TYPE_CHECKING:
    from structlog.typing import EventDict

pytestmark = pytest.mark.usefixtures("alone")


class Graveyard:
    """A queue with dead letters, an account, and sweepers of as many processes as a test wants."""

    def __init__(self) -> None:
        self.queue, self.account = Queue(), Account()

    def bury(self, body: dict[str, Any] | bytes | None, reason: str | None = "MaxDeliveryCountExceeded",
             text: str = "", **history: Any) -> int:  # fmt: skip  # noqa: ANN401 - History's own
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        return bury(self.queue, Sent(data, "m", History(**history)), reason, text)

    def sweeper(self, calls: Calls | None = None, patience: float = 1) -> Sweeper:
        calls = calls or Calls()
        blobs = FakeBlobs(self.account, calls)
        committer = Committer(blobs, "results", Progress(blobs, "results"), patience)
        ends = endings(committer, blobs, self.queue, calls)
        return Sweeper(FakeBrowser(self.queue, calls), Recorder(ends, "here"))

    def result(self, job_id: str, batch: str = "default") -> Result:
        return Result.model_validate_json(self.account.find(f"results/{batch}/{job_id}/result.json").data)

    def results(self) -> dict[str, str]:
        """The ETag of each result, by job."""
        found = {name: blob.etag for name, blob in self.account.blobs.items() if name.endswith("result.json")}
        return {name.split("/")[2]: etag for name, etag in found.items()}

    def progress(self, batch: str = "default") -> list[str]:
        found = self.account.blobs.get(f"results/{batch}/_batch/progress-00000.jsonl")
        return [json.loads(line)["id"] for line in found.data.splitlines()] if found else []


async def swept_for(sweeper: Sweeper, seconds: float) -> None:
    running = asyncio.create_task(sweeper.run())
    await asyncio.sleep(seconds)
    assert not running.done()
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


async def test_what_the_broker_an_operator_or_a_bad_body_made_says_why_in_its_result() -> None:
    yard = Graveyard()
    yard.bury(job("lost", metadata={"student": "s"}), attempts=2, reasons=("first", "second"))
    yard.bury(job("late", batch="b1"), "TTLExpiredException")
    yard.bury(job("by-hand"), "spam", "looked odd")
    yard.bury(job("no-reason"), None)
    yard.bury({"version": 1, "id": "bad", "colour": "red"})
    number = yard.bury(b"no JSON")
    value = yard.bury(None)
    copy = yard.bury(b"[]", origin=4711)
    assert await yard.sweeper().sweep() == 8
    said = {job_id: yard.result(job_id) for job_id in yard.results() if job_id != "late"}
    said["late"] = yard.result("late", "b1")
    whys = {job_id: (result.status, result.error.code) for job_id, result in said.items() if result.error}
    assert whys == {
        "lost": ("infrastructure_failed", "lost"),
        "late": ("infrastructure_failed", "expired"),
        "by-hand": ("infrastructure_failed", "dead_lettered"),
        "no-reason": ("infrastructure_failed", "dead_lettered"),
        "bad": ("rejected", "invalid_job"),
        f"message-{number}": ("rejected", "invalid_json"),
        f"message-{value}": ("rejected", "invalid_json"),
        "message-4711": ("rejected", "invalid_job"),
    }
    assert copy != 4711
    assert (said["lost"].attempts, said["lost"].faults) == (2, ("first", "second"))
    assert said["lost"].metadata == {"student": "s"}
    assert "spam: looked odd" in str(said["by-hand"].error)
    assert yard.progress("b1") == ["late"]
    assert len(letters(yard.queue)) == 8


async def test_a_letter_whose_job_has_a_result_changes_nothing() -> None:
    yard = Graveyard()
    yard.account.write("results/default/j1/result.json", b"as it was")
    yard.bury(job("j1"))
    calls = Calls()
    await swept_for(yard.sweeper(calls), 60)
    assert yard.account.find("results/default/j1/result.json").data == b"as it was"
    assert yard.progress() == []
    assert calls.made.count("metadata") == 1


async def test_a_letter_gets_its_result_within_seconds_and_is_looked_into_once() -> None:
    yard, calls = Graveyard(), Calls()
    running = asyncio.create_task(yard.sweeper(calls).run())
    await asyncio.sleep(60)
    number = yard.bury(job("j1"))
    await asyncio.sleep(5)
    assert yard.result("j1").status == "infrastructure_failed"
    await asyncio.sleep(60)
    assert (calls.made.count("create"), letters(yard.queue)) == (1, [number])
    running.cancel()
    await asyncio.wait({running})


async def test_many_letters_are_looked_at_more_seldom() -> None:
    yard, calls = Graveyard(), Calls()
    for number in range(1000):
        yard.bury(job(f"j{number}"))
    await swept_for(yard.sweeper(calls), 120)
    assert len(yard.results()) == 1000
    assert 8 <= calls.made.count("peek") / 251 <= 15


async def test_many_sweepers_at_once_make_one_result_of_each_letter() -> None:
    yard = Graveyard()
    for number in range(20):
        yard.bury(job(f"j{number}"))
    await asyncio.gather(*(swept_for(yard.sweeper(), 1) for _ in range(3)))
    etags = yard.results()
    await asyncio.gather(*(swept_for(yard.sweeper(), 30) for _ in range(3)))
    assert len(etags) == 20
    assert yard.results() == etags
    assert set(yard.progress()) == set(etags)


async def test_an_outage_of_whatever_kind_is_told_once_and_ended_by_trying_again(
    quiet: list[EventDict],
) -> None:
    yard, calls = Graveyard(), Calls()
    yard.bury(job("j1"))
    calls.fail("peek", *[InfrastructureFault("gone")] * 5, *[OverflowError("nobody foresaw this")] * 2)
    calls.fail("metadata", *[InfrastructureFault("blobs gone")] * 8)
    await swept_for(yard.sweeper(calls), 120)
    assert yard.results().keys() == {"j1"}
    told = [event["reason"] for event in quiet if event["event"] == "dead_letters_not_swept"]
    assert told == ["gone", "nobody foresaw this", "blobs gone"]
    assert [event["event"] for event in quiet].count("dead_letters_swept_again") == 1


async def test_one_letter_that_cannot_be_recorded_does_not_keep_the_others_from_it(
    quiet: list[EventDict],
) -> None:
    yard, calls = Graveyard(), Calls()
    for number in range(6):
        yard.bury(job(f"j{number}"))
    calls.fail("metadata", None, ValueError("nobody foresaw this"))
    await swept_for(yard.sweeper(calls), 2)
    assert len(yard.results()) == 5
    await swept_for(yard.sweeper(calls), 2)
    assert len(yard.results()) == 6
    assert [event["event"] for event in quiet].count("dead_letter_not_recorded") == 1


async def test_what_has_left_the_dead_letters_is_forgotten() -> None:
    yard = Graveyard()
    numbers = [yard.bury(job(f"j{number}")) for number in range(10)]
    sweeper = yard.sweeper()
    await sweeper.sweep()
    for _ in numbers[:9]:
        message = yard.queue.rules.acquire(yard.queue.advance(), dead_letters=True)
        assert message
        assert message.token
        yard.queue.rules.complete(message.token, yard.queue.advance())
    assert await sweeper.sweep() == 1
    assert sweeper._known == {numbers[9]}


async def test_a_sweeper_that_crashes_at_any_step_leaves_it_to_the_next() -> None:
    step = 0
    while True:
        step += 1
        yard, calls = Graveyard(), Calls()
        numbers = [yard.bury(job("j1")), yard.bury(b"no JSON")]
        calls.at_step[step] = calls.crash
        if not await ended(yard.sweeper(calls).sweep(), calls):
            break
        committed = yard.results()
        await yard.sweeper().sweep()
        assert yard.results().keys() == {"j1", f"message-{numbers[1]}"}, f"crashed at step {step}"
        assert committed.items() <= yard.results().items(), f"crashed at step {step}"
        assert letters(yard.queue) == numbers
    assert step > 8
    VirtualLoop.unhandled_of_running().clear()


async def test_a_dead_event_has_the_result_of_its_message_in_words_about_an_event() -> None:
    yard = Graveyard()
    event = {"specversion": "1.0", "id": "e1", "source": "/s", "type": "t"}
    late = yard.bury(event, "TTLExpiredException")
    bad = yard.bury({**event, "source": 7}, "TTLExpiredException")
    assert await yard.sweeper().sweep() == 2
    expired, refused = yard.result(f"event-{late}").error, yard.result(f"event-{bad}").error
    assert expired
    assert (expired.code, expired.message) == (
        "expired",
        "the event waited longer than its message's time to live",
    )
    assert refused
    assert (refused.code, refused.field) == ("invalid_event", "source")
