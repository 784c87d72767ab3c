"""The commit, and the one case in which a commit may take another's place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.calls import Calls
from tests.unit.core.fake_blobs import Account, FakeBlobs
from worker.committing import Committer
from worker.faults import BlobMissing, InfrastructureFault
from worker.progress import Progress
from worker.result import Producer, Result

if TYPE_CHECKING:
    from worker.result import Status

pytestmark = pytest.mark.usefixtures("alone")
BLOB = "results/b/j/result.json"
GONE = InfrastructureFault("gone")


class Desk:
    """An account with a committed failure, and a committer."""

    def __init__(self) -> None:
        self.account, self.calls = Account(), Calls()
        blobs = FakeBlobs(self.account, self.calls)
        self.committer = Committer(blobs, "results", Progress(blobs, "results"), 30)
        self.old = self.account.write(BLOB, result("infrastructure_failed").model_dump_json().encode())

    @property
    def status(self) -> str:
        return Result.model_validate_json(self.account.find(BLOB).data).status

    def told(self) -> list[str]:
        progress = self.account.blobs.get("results/b/_batch/progress-00000.jsonl")
        return [line.split('"')[7] for line in progress.data.decode().splitlines()] if progress else []

    def kept(self, attempt: str) -> str | None:
        blob = self.account.blobs.get(f"results/b/j/attempts/{attempt}/replaced.json")
        return Result.model_validate_json(blob.data).status if blob else None


def result(status: Status, **fields: Any) -> Result:  # noqa: ANN401 - Result's own
    now, producer = datetime.now(UTC), Producer(version="1", instance="i")
    return Result(
        id="j", batch="b", status=status, worker=producer, started_at=now, finished_at=now, **fields
    )


async def test_a_commit_that_replaces_nothing_leaves_what_stands() -> None:
    desk = Desk()
    await desk.committer.commit(result("succeeded"), "a1")
    assert (desk.status, desk.told()) == ("infrastructure_failed", ["infrastructure_failed"])


async def test_the_result_that_may_be_replaced_is_kept_beside_its_successor() -> None:
    desk = Desk()
    await desk.committer.commit(result("succeeded"), "a1", replaces=desk.old)
    assert (desk.status, desk.kept("a1"), desk.told()) == (
        "succeeded", "infrastructure_failed", ["succeeded"],
    )  # fmt: skip
    assert [call for call in desk.calls.made if call in {"create", "put"}] == ["create", "put"]


async def test_a_result_that_came_meanwhile_stands() -> None:
    desk = Desk()
    await desk.committer.commit(result("failed"), "a1", replaces=desk.old)
    await desk.committer.commit(result("succeeded"), "a2", replaces=desk.old)
    assert (desk.status, desk.kept("a2"), desk.told()) == ("failed", None, ["failed", "failed"])


async def test_a_result_that_comes_between_the_look_and_the_write_stands() -> None:
    desk = Desk()
    other = result("failed").model_dump_json().encode()
    desk.calls.at_step[4] = lambda: desk.account.write(BLOB, other, {"attempt": "a0"})
    await desk.committer.commit(result("succeeded"), "a1", replaces=desk.old)
    assert (desk.status, desk.told()) == ("failed", ["failed"])


async def test_a_result_that_has_vanished_is_no_obstacle() -> None:
    desk = Desk()
    del desk.account.blobs[BLOB]
    await desk.committer.commit(result("succeeded"), "a1", replaces=desk.old)
    assert (desk.status, desk.kept("a1"), desk.told()) == ("succeeded", None, ["succeeded"])


@pytest.mark.parametrize("call", ["read", "create", "put"])
async def test_an_answer_that_is_lost_after_the_effect_changes_nothing(call: str) -> None:
    desk = Desk()
    desk.calls.fail(call, GONE, after_effect=True)
    await desk.committer.commit(result("succeeded"), "a1", replaces=desk.old)
    assert (desk.status, desk.kept("a1"), desk.told()) == (
        "succeeded", "infrastructure_failed", ["succeeded"],
    )  # fmt: skip


async def test_the_same_replacement_again_after_a_crash_is_known_for_its_own() -> None:
    desk = Desk()
    await desk.committer.commit(result("succeeded"), "a1", replaces=desk.old)
    await desk.committer.commit(result("succeeded"), "a1", replaces=desk.old)
    assert (desk.status, desk.told()) == ("succeeded", ["succeeded", "succeeded"])


async def test_a_result_that_may_be_replaced_counts_for_none_and_every_other_for_one() -> None:
    desk = Desk()
    assert await desk.committer.confirm("b", "j")
    assert not await desk.committer.confirm("b", "j", replaces=desk.old)
    assert await desk.committer.confirm("b", "j", replaces='"another"')
    assert not await desk.committer.confirm("b", "k", replaces=desk.old)
    assert desk.told() == ["infrastructure_failed"] * 2


async def test_whether_there_is_a_result_is_told_without_reading_or_telling_it() -> None:
    desk = Desk()
    assert await desk.committer.is_committed("b", "j")
    assert not await desk.committer.is_committed("b", "k")
    standing = await desk.committer.standing("b", "j")
    assert standing
    assert standing.etag == desk.old
    assert await desk.committer.standing("b", "k") is None
    assert desk.told() == []


async def test_a_result_that_is_taken_away_while_it_is_looked_into_is_no_commit() -> None:
    desk = Desk()
    desk.calls.at_step[2] = lambda: desk.account.blobs.pop(BLOB)
    with pytest.raises(BlobMissing):
        await desk.committer.commit(result("succeeded"), "a1")
