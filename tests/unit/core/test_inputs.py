"""What a job runs on is fetched once, checked, and bounded."""

import asyncio

import pytest

from tests.unit.core.calls import Calls
from tests.unit.core.fake_blobs import Account, FakeBlobs
from tests.unit.core.world import settings
from worker.faults import JobRejected
from worker.inputs import CodeCache, InputFetcher
from worker.job import Job, validate_job

pytestmark = pytest.mark.usefixtures("alone")


class Store:
    def __init__(self, **values: object) -> None:
        self.account, self.calls = Account(), Calls()
        self.blobs = FakeBlobs(self.account, self.calls)
        self.fetcher = InputFetcher(self.blobs, settings(**values))


def job(**fields: object) -> Job:
    return validate_job({"version": 1, "id": "j1", "code": {"inline": "1"}} | fields)


async def test_a_pinned_program_is_read_once_for_all_jobs_that_share_it() -> None:
    store = Store()
    etag = store.account.write("submissions/a.js", b"code")
    for _ in range(5):
        inputs = await store.fetcher.fetch(job(code={"blob": "submissions/a.js", "etag": etag}))
        assert inputs.code == b"code"
    assert store.calls.made == ["read"]


async def test_a_program_that_is_not_pinned_is_read_each_time() -> None:
    store = Store()
    for code in (b"old", b"new"):
        store.account.write("submissions/a.js", code)
        assert (await store.fetcher.fetch(job(code={"blob": "submissions/a.js"}))).code == code


async def test_the_cache_of_programs_is_bounded_and_drops_the_oldest() -> None:
    store = Store()
    cache = CodeCache(store.blobs, capacity=10)
    etags = [store.account.write(f"submissions/{name}.js", b"12345") for name in "abc"]
    for name, etag in zip("abc", etags, strict=True):
        await cache.read(f"submissions/{name}.js", limit=10, etag=etag)
    await cache.read("submissions/c.js", limit=10, etag=etags[2])
    assert len(store.calls.made) == 3
    await cache.read("submissions/a.js", limit=10, etag=etags[0])
    assert len(store.calls.made) == 4


@pytest.mark.parametrize(
    ("blob", "name"),
    [("submissions/a.mjs", "main.mjs"), ("submissions/a.cjs", "main.cjs"), ("submissions/a.ts", "main.js")],
)
async def test_the_extension_of_the_blob_tells_node_what_the_program_is(blob: str, name: str) -> None:
    store = Store()
    store.account.write(blob, b"1")
    assert (await store.fetcher.fetch(job(code={"blob": blob}))).program.file_name == name


@pytest.mark.parametrize("code", [{"blob": "submissions/a.mjs"}, {"inline": "1"}])
async def test_a_program_lies_where_the_job_says(code: dict[str, str]) -> None:
    store = Store()
    store.account.write("submissions/a.mjs", b"1")
    assert (
        await store.fetcher.fetch(job(code={**code, "path": "src/app.js"}))
    ).program.file_name == "src/app.js"


async def test_text_reaches_the_program_as_node_writes_it() -> None:
    files = [{"path": "a", "inline": "ü\ud800"}]
    inputs = await Store().fetcher.fetch(job(code={"inline": "'\ud800'"}, files=files))
    assert inputs.code == "'\ufffd'".encode()
    assert inputs.program.files == (("a", "ü\ufffd".encode()),)


async def test_a_missing_blob_is_looked_for_twice_two_seconds_apart() -> None:
    store = Store()
    with pytest.raises(JobRejected):
        await store.fetcher.fetch(job(code={"blob": "submissions/no.js"}))
    assert store.calls.made == ["read", "read"]
    assert asyncio.get_running_loop().time() == pytest.approx(2)


@pytest.mark.parametrize(
    "blob", ["results/default/j2/result.json", "results/_deployment/session-secret", "submissions2/a"]
)
async def test_no_container_is_read_that_is_not_allowed(blob: str) -> None:
    cases = [{"name": "a", "stdin": {"blob": blob}}]
    for fields in (
        {"code": {"blob": blob}},
        {"stdin": {"blob": blob}},
        {"files": [{"path": "a", "blob": blob}]},
        {"cases": {"blob": blob}},
        {"cases": cases},
    ):
        store, asking = Store(), job(**fields)
        with pytest.raises(JobRejected) as caught:
            await _checked_and_fetched(store, asking)
        assert caught.value.code == "container_not_allowed"
        assert caught.value.field
        assert store.calls.made == []


async def _checked_and_fetched(store: Store, asking: Job) -> None:
    store.fetcher.check(asking)
    await store.fetcher.fetch(asking)
