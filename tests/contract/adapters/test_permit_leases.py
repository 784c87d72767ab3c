"""Leases on blobs: one suite for the adapter over a real blob store and for the fake of the core's tests."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.unit.core.calls import Calls
from tests.unit.core.fake_blobs import Account, FakeBlobs
from worker.blobs import Blobs, open_blobs
from worker.faults import BlobMissing, ConfigurationFault, LeaseHeld
from worker.local import azurite
from worker.local.supervised import Child
from worker.permit_leases import PermitLeases
from worker.permits import Permits
from worker.settings import ClientSettings, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "a2V5IG9mIGEgdGVzdA=="
MINE, THEIRS = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


@dataclass
class Store:
    """An empty container of a store.

    Attributes:
        blobs: the access to it.
        container: its name.
        shortest: seconds of the shortest lease.
    """

    blobs: Blobs | FakeBlobs
    container: str
    shortest: int

    def __post_init__(self) -> None:
        self.blob = f"{self.container}/permits/000"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    """The port of a real blob store."""
    directory = tmp_path_factory.mktemp("azurite")
    child = await Child.start(azurite.command(directory, 0, KEY, directory / "log"))
    yield child.port
    await child.stop()


@asynccontextmanager
async def opened(port: int) -> AsyncIterator[Store]:
    container = f"results-{uuid.uuid4().hex}"
    await asyncio.to_thread(azurite.create_containers, port, KEY, [container])
    address = azurite.connection_string(port, KEY)
    settings = ClientSettings.model_validate({"storage_connection_string": address})
    async with open_blobs(settings, None) as blobs:
        yield Store(blobs, container, 15)


@pytest.fixture(params=["real", "fake"])
async def store(request: pytest.FixtureRequest, server: int) -> AsyncIterator[Store]:
    if request.param == "fake":
        yield Store(FakeBlobs(Account(), Calls()), "results", 2)
    else:
        async with opened(server) as store:
            yield store


async def test_one_lease_at_a_time_which_its_holder_alone_renews_marks_and_releases(
    store: Store,
) -> None:
    await store.blobs.create(store.blob, b"")
    await store.blobs.acquire_lease(store.blob, MINE, store.shortest)
    with pytest.raises(LeaseHeld, match=store.blob):
        await store.blobs.acquire_lease(store.blob, THEIRS, store.shortest)
    with pytest.raises(LeaseHeld, match=store.blob):
        await store.blobs.renew_lease(store.blob, THEIRS)
    with pytest.raises(LeaseHeld, match=store.blob):
        await store.blobs.mark_leased(store.blob, THEIRS, {"holder": "they"})
    with pytest.raises(LeaseHeld, match=store.blob):
        await store.blobs.release_lease(store.blob, THEIRS)
    await store.blobs.renew_lease(store.blob, MINE)
    await store.blobs.acquire_lease(store.blob, MINE, store.shortest)  # as after an answer that was lost
    await store.blobs.mark_leased(store.blob, MINE, {"holder": "I%20am"})
    assert await store.blobs.metadata(store.blob) == {"holder": "I%20am"}
    await store.blobs.mark_leased(store.blob, MINE, {})
    assert await store.blobs.metadata(store.blob) == {}
    await store.blobs.release_lease(store.blob, MINE)
    await store.blobs.acquire_lease(store.blob, THEIRS, store.shortest)
    with pytest.raises(LeaseHeld, match=store.blob):
        await store.blobs.renew_lease(store.blob, MINE)


async def test_a_released_lease_is_nobodys(store: Store) -> None:
    await store.blobs.create(store.blob, b"")
    await store.blobs.acquire_lease(store.blob, MINE, store.shortest)
    await store.blobs.release_lease(store.blob, MINE)
    with pytest.raises(LeaseHeld):
        await store.blobs.renew_lease(store.blob, MINE)
    with pytest.raises(LeaseHeld):
        await store.blobs.release_lease(store.blob, MINE)
    with pytest.raises(LeaseHeld):
        await store.blobs.mark_leased(store.blob, MINE, {"holder": "I"})


async def test_the_listing_tells_who_holds_what(store: Store) -> None:
    for name in ("permits/000", "permits/001", "permits/002", "other"):
        await store.blobs.create(f"{store.container}/{name}", b"")
    await store.blobs.acquire_lease(f"{store.container}/permits/001", MINE, store.shortest)
    await store.blobs.mark_leased(f"{store.container}/permits/001", MINE, {"holder": "I"})
    await store.blobs.acquire_lease(f"{store.container}/permits/002", MINE, store.shortest)
    await store.blobs.release_lease(f"{store.container}/permits/002", MINE)
    listed = await store.blobs.leased(store.container, "permits/")
    assert [(found.name, found.is_leased, found.metadata) for found in listed] == [
        ("permits/000", False, {}),
        ("permits/001", True, {"holder": "I"}),
        ("permits/002", False, {}),
    ]
    assert await store.blobs.leased(store.container, "none/") == []


async def test_a_blob_that_is_not_there_has_no_lease(store: Store) -> None:
    with pytest.raises(BlobMissing):
        await store.blobs.acquire_lease(store.blob, MINE, store.shortest)
    with pytest.raises(BlobMissing):
        await store.blobs.renew_lease(store.blob, MINE)
    with pytest.raises(BlobMissing):
        await store.blobs.mark_leased(store.blob, MINE, {})


async def test_a_lease_that_is_not_renewed_ends_and_is_anothers(store: Store) -> None:
    renewed, left, unmissed = store.blob, f"{store.container}/permits/001", f"{store.container}/permits/002"
    for blob in (renewed, left, unmissed):
        await store.blobs.create(blob, b"")
        await store.blobs.acquire_lease(blob, MINE, store.shortest)
    await store.blobs.mark_leased(left, MINE, {"holder": "I"})
    await asyncio.sleep(store.shortest * 0.55)
    await store.blobs.renew_lease(renewed, MINE)
    await asyncio.sleep(store.shortest * 0.55)
    listed = await store.blobs.leased(store.container, "permits/")
    assert [found.is_leased for found in listed] == [True, False, False]
    with pytest.raises(LeaseHeld):
        await store.blobs.acquire_lease(renewed, THEIRS, store.shortest)
    with pytest.raises(LeaseHeld):
        await store.blobs.mark_leased(left, MINE, {})
    await store.blobs.acquire_lease(left, THEIRS, store.shortest)
    with pytest.raises(LeaseHeld):
        await store.blobs.renew_lease(left, MINE)
    assert await store.blobs.metadata(left) == {"holder": "I"}
    await store.blobs.renew_lease(unmissed, MINE)  # nobody has taken it meanwhile


class NoSessions:
    """A pool without sessions."""

    async def identifiers(self, permit: int) -> list[str]:
        del permit
        return []

    async def release(self, permit: int, identifier: str) -> bool:
        raise AssertionError(f"{identifier} of {permit} is not there")

    @staticmethod
    def of_permit(identifier: str, permit: int) -> bool:
        raise AssertionError(f"{identifier} of {permit} is not there")


def worker(store: Store, name: str) -> tuple[PermitLeases, Permits]:
    settings = WorkerSettings.model_validate(
        {
            "pool_endpoint": "http://pool.example",
            "max_sessions": 3,
            "instance": name,
            "results_container": store.container,
        }
    )
    permits, pool = Permits(), NoSessions()
    return PermitLeases(store.blobs, pool, permits, pool, settings), permits


async def test_two_workers_share_the_permits_and_give_them_back(store: Store) -> None:
    (first, ours), (second, theirs) = worker(store, "one ü\n"), worker(store, "two")
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(first.run())
        group.create_task(second.run())
        taken = await asyncio.gather(ours.take(), ours.take(), theirs.take())
        assert {permit.index for permit in taken} == {0, 1, 2}
        assert (ours.held, theirs.held) == (2, 1)
        holders = {
            found.metadata["holder"] for found in await store.blobs.leased(store.container, "_deployment/")
        }
        assert holders == {"one%20%C3%BC%0A", "two"}
        for permit, permits in zip(taken, (ours, ours, theirs), strict=True):
            permits.give_back(permit)
        await first.close()
        await second.close()
    left = await store.blobs.leased(store.container, "_deployment/permits/")
    assert [(found.is_leased, found.metadata) for found in left] == [(False, {})] * 3


async def test_a_container_that_is_not_there_is_a_matter_of_configuration(server: int) -> None:
    async with opened(server) as store:
        with pytest.raises(ConfigurationFault, match="JSWORKER_RESULTS_CONTAINER"):
            await store.blobs.leased("nowhere", "")
