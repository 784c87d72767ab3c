"""The client of the library against a running worker: with asyncio, and without."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from worker import (
    AsyncClient,
    BatchError,
    BlobMissing,
    BlobTooLarge,
    Client,
    ClientSettings,
    Job,
    SettingsError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.worker.services import Services

SQUARE = "const n = Number(require('fs').readFileSync(0)); console.log(n * n)"


@pytest.fixture
def settings(services: Services, served: str) -> ClientSettings:
    environment = services.environment
    return ClientSettings(
        servicebus_connection_string=SecretStr(environment["JSWORKER_SERVICEBUS_CONNECTION_STRING"]),
        storage_connection_string=SecretStr(environment["JSWORKER_STORAGE_CONNECTION_STRING"]),
        queue=served,
    )


async def test_jobs_are_submitted_followed_and_read(settings: ClientSettings, batch: str) -> None:
    jobs = [
        Job.model_validate({"version": 1, "id": f"n{n}", "code": {"inline": SQUARE}, "stdin": str(n)})
        for n in range(20)
    ]
    async with AsyncClient(settings) as client:
        submitted = await client.submit(jobs, batch=batch)
        done = await submitted.wait(timeout=60)
        assert (done.total, done.done, done.is_complete, done.statuses) == (20, 20, True, {"succeeded": 20})
        results = [result async for result in client.batch(batch).results()]
        assert [result.stdout.text for result in results] == [f"{n * n}\n" for n in range(20)]
        again = await client.submit(jobs, batch=batch)
        assert (await again.progress()).is_complete
        with pytest.raises(BatchError, match="other jobs of the same id"):
            await client.submit([{**jobs[0].model_dump(mode="json"), "stdin": "7"}], batch=batch)


def test_without_asyncio_it_is_the_same(settings: ClientSettings, batch: str, tmp_path: Path) -> None:
    (tmp_path / "right.js").write_text("console.log(6 * 7)")
    (tmp_path / "wrong.js").write_text("console.log(41)")
    cases = tmp_path / "cases.yaml"
    cases.write_text("version: 1\ncases: [{name: answers, expect: {stdout: '42'}}]\n")
    with Client(settings) as client:
        paths = sorted(str(path) for path in tmp_path.glob("*.js"))
        submitted = client.submit_programs(paths, batch=batch, cases=str(cases))
        assert (submitted.name, submitted.ids()) == (batch, ["right", "wrong"])
        *_, last = submitted.watch()
        assert last.verdicts == {"accepted": 1, "wrong_answer": 1}
        assert submitted.wait(1) == submitted.progress() == last
        right, wrong = submitted.results()
        assert (right.verdict, wrong.verdict) == ("accepted", "wrong_answer")
        assert submitted.result("right") == right
        assert submitted.cancel("right") == []
        with pytest.raises(BatchError, match="no job 'nobody'"):
            submitted.result("nobody")
        with pytest.raises(BatchError, match="no generation 0"):
            list(submitted.results(number=0))
        looks = submitted.watch()
        assert next(looks) == last
    looks.close()
    with pytest.raises(RuntimeError, match="the client is not open"):
        submitted.ids()


def test_what_a_result_has_in_a_blob_is_read(settings: ClientSettings, batch: str) -> None:
    job = {"id": "long", "code": {"inline": "console.log('x'.repeat(400000))"}}
    with Client(settings) as client:
        submitted = client.submit([job], batch=batch)
        submitted.wait(60)
        (result,) = submitted.results()
        assert result.stdout.blob is not None
        assert client.read(result.stdout.blob) == b"x" * 400_000 + b"\n"
        with pytest.raises(BlobTooLarge):
            client.read(result.stdout.blob, limit=1000)
        with pytest.raises(BlobMissing):
            client.read(f"results/{batch}/absent")


async def test_a_job_that_waits_has_no_result_and_can_be_cancelled(
    services: Services, settings: ClientSettings, batch: str
) -> None:
    elsewhere = settings.model_copy(update={"queue": "jobs"})  # nobody takes from it
    async with AsyncClient(elsewhere) as client:
        submitted = await client.submit([{"version": 1, "id": "later", "code": {"inline": "1"}}], batch=batch)
        assert await submitted.result("later") is None
        assert [result async for result in submitted.results()] == []
        with pytest.raises(TimeoutError, match=rf"'{batch}' .* 0\.5 s: 0 of its 1 jobs have a result"):
            await submitted.wait(timeout=0.5)
        assert await submitted.cancel() == ["later"]
    with services.received("jobs"):
        pass


async def test_what_cannot_be_used_is_told_before_anything_is_sent(
    settings: ClientSettings, batch: str
) -> None:
    job = {"version": 1, "id": "a", "code": {"inline": "1"}}
    async with AsyncClient(settings) as client:
        with pytest.raises(BatchError, match=r"(?s)job 2: .*code.*job 3: id: 'a' is the id of job 1 already"):
            await client.submit([job, {"version": 1, "id": "b"}, job], batch=batch)
        with pytest.raises(BatchError, match="no jobs"):
            await client.submit([], batch=batch)
        with pytest.raises(BatchError, match="there is no batch"):
            await client.batch(batch).ids()
        with pytest.raises(ValueError, match="no name of a batch"):
            client.batch("../x")


def test_a_client_that_is_not_open_says_so(settings: ClientSettings) -> None:
    with pytest.raises(RuntimeError, match="use it in 'with'"):
        Client(settings).batch("b")


def test_missing_settings_are_told_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICEBUS_NAMESPACE", "SERVICEBUS_CONNECTION_STRING", "STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(f"JSWORKER_{name}", raising=False)
    monkeypatch.delenv("JSWORKER_STORAGE_ACCOUNT_URL", raising=False)
    with pytest.raises(SettingsError, match=r"(?s)SERVICEBUS_NAMESPACE.*STORAGE_ACCOUNT_URL"):
        Client()


def test_the_package_is_imported_without_the_sdks_until_a_client_is_asked_for() -> None:
    code = "import sys, worker; assert not any(m.startswith('azure') for m in sys.modules); worker.Client"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - ours
