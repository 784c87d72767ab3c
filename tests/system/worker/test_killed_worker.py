"""A worker that is killed at any moment loses nothing, doubles nothing and changes nothing."""

import random
import secrets
import time
from pathlib import Path

import pytest

from tests.system.worker.processes import killed, working
from tests.system.worker.services import Services, eventually, program

JOBS = 30
KILLS = 3


def note(seen: dict[str, str], now: dict[str, str]) -> int:
    """Remember the ETags of results at first sight; how many there are."""
    for job_id, etag in now.items():
        seen.setdefault(job_id, etag)
    return len(now)


@pytest.mark.timeout(180)
def test_every_job_of_a_worker_killed_again_and_again_has_exactly_one_result(
    services: Services, batch: str, tmp_path: Path
) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - to repeat a failure
    moments = random.Random(seed)  # noqa: S311 - no secret depends on it
    settings = {**services.environment, "JSWORKER_QUEUE": "killed", "JSWORKER_RETRY_BASE_SECONDS": "0.2"}
    code = "setTimeout(() => console.log(process.argv[2]), 250)"
    ids = services.send("killed", (program(batch, f"s{n}", code, args=[f"{n}"]) for n in range(JOBS)))
    seen: dict[str, str] = {}
    for kill in range(KILLS):
        with killed(settings, tmp_path / f"killed-{kill}.log"):
            before = note(seen, services.etags(batch))
            eventually(lambda before=before: note(seen, services.etags(batch)) > before)  # type: ignore[misc] # a default
            time.sleep(moments.uniform(0, 1))
    with working(settings, tmp_path / "last.log", "--drain") as last:
        assert last.status(120) == 0
    results = services.results(batch, ids, 1)
    assert {job_id: result["stdout"]["text"] for job_id, result in results.items()} == {
        f"s{n}": f"{n}\n" for n in range(JOBS)
    }
    assert {result["status"] for result in results.values()} == {"succeeded"}
    assert set(services.progress(batch)) == set(ids)
    after = services.etags(batch)
    assert {job_id: after[job_id] for job_id in seen} == seen
    assert (services.waiting("killed"), services.dead_letters("killed")) == ([], [])
    assert services.sessions() == []
