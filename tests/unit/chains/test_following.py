"""A chain is followed by its results alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.batch.fakes import MemoryBlobs, MemoryBrowser, message
from tests.unit.chains.parents import ended
from worker.batch import BatchError, Folder
from worker.cli.chain import tree
from worker.cli.explain import document, told, what_next
from worker.explaining import Story, story
from worker.following import Chain, follow_chain
from worker.result import Error, FanOut, NextStep
from worker.trigger import StepTrigger, Trigger

CLEAN = NextStep(step="clean", on="succeeded", batch="b", jobs=("p.clean",))
CHART = NextStep(
    step="chart",
    on="ended",
    batch="b",
    jobs=FanOut(first="p.clean.chart.0", count=3),
    join="b/p.clean.chart.join",
)
ALARM = NextStep(step="alarm", on="failed", started=False)


class Store(MemoryBlobs):
    async def end(self, job_id: str, **fields: Any) -> None:  # noqa: ANN401 - Result's
        await self.create(
            f"results/b/{job_id}/result.json", ended(job_id, **fields).model_dump_json().encode()
        )


async def half_way() -> Store:
    store = Store()
    await store.end("p", then=(CLEAN, ALARM))
    made_by = StepTrigger(parent="b/p", root="b/p", step="clean")
    await store.end("p.clean", then=(CHART,), trigger=Trigger(depth=1, step=made_by))
    await store.end("p.clean.chart.1", status="failed")
    return store


async def test_a_chain_is_shown_as_a_tree_with_what_is_waited_for() -> None:
    chain = Chain(await half_way(), "results", "b", "p")
    assert await chain.look()
    assert list(tree(chain.root)) == [
        "b/p  succeeded",
        "  clean: 1 job: 1 succeeded",
        "    b/p.clean  succeeded",
        "      chart: 3 jobs: 1 failed, 2 waiting",
        "        b/p.clean.chart.0  waiting",
        "        b/p.clean.chart.1  failed",
        "        b/p.clean.chart.2  waiting",
        "        b/p.clean.chart.join  waiting",
        "  alarm: not taken (on failed)",
    ]
    assert [node.id for node in chain.waiting] == ["p.clean.chart.0", "p.clean.chart.2", "p.clean.chart.join"]


async def test_a_chain_is_followed_until_all_of_it_has_ended() -> None:
    store = await half_way()
    after_join = CLEAN.model_copy(update={"jobs": ("p.clean.chart.join.clean",)})
    later = ["p.clean.chart.0", "p.clean.chart.2", "p.clean.chart.join", "p.clean.chart.join.clean"]

    async def pause(_seconds: float) -> None:
        job_id = later.pop(0)
        await store.end(job_id, then=(after_join,) if job_id.endswith("join") else ())

    looks = [look.ended async for look in follow_chain(Chain(store, "results", "b", "p"), pause)]
    assert looks == [3, 4, 5, 6, 7]


async def test_a_job_that_has_not_ended_is_a_chain_of_its_own_so_far() -> None:
    chain = Chain(Store(), "results", "b", "p")
    assert not await chain.look()
    assert list(tree(chain.root)) == ["b/p  waiting"]


async def told_of(store: Store, job_id: str, *messages: str) -> tuple[str, Story]:
    browser = MemoryBrowser(*(message(name, batch="b") for name in messages))
    found = await story(store, browser, Folder("results", "b"), job_id, browser.pause)
    return "\n".join(f"{topic} {line}" for topic, line in told(found, 5)), found


async def test_explaining_a_job_shows_what_stands_before_and_after_it() -> None:
    lines, found = await told_of(await half_way(), "p.clean")
    assert "after b/p, by its step clean" in lines
    assert "then chart: 3 jobs: 1 failed, 2 waiting" in lines
    assert "b/p.clean.chart.join waits for b/p.clean.chart.0, b/p.clean.chart.2" in lines
    shown = document(found, 5)["chain"]
    assert shown["made_by"]["parent"] == "b/p"
    assert shown["steps"][0]["waiting"] == ["b/p.clean.chart.0", "b/p.clean.chart.2"]


async def test_explaining_a_job_that_is_not_made_yet_says_what_it_waits_for() -> None:
    _, found = await told_of(await half_way(), "p.clean.chart.join")
    said = what_next(found, 5)
    assert said == "it is made when these have ended: b/p.clean.chart.0, b/p.clean.chart.2"
    with pytest.raises(BatchError, match="no trace"):
        await told_of(await half_way(), "p.other.join")


async def test_a_step_whose_jobs_could_not_be_made_says_why() -> None:
    store = Store()
    failed = CLEAN.model_copy(update={"error": Error(code="each_no_list", message="x is no list")})
    await store.end("p", then=(failed,))
    lines, _ = await told_of(store, "p")
    assert "then clean: each_no_list: x is no list" in lines
