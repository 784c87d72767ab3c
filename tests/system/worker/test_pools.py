"""Pools that are full, slow, or differ in their ways: no job fails and no attempt is spent on it."""

from pathlib import Path
from typing import Any

import pytest

from tests.system.worker.processes import killed, pool
from tests.system.worker.services import Services, eventually, program

QUEUE = "pool"
JOBS = 6


def run_with(
    services: Services, batch: str, folder: Path, *options: str, settings: dict[str, str], **quirks: object
) -> dict[str, dict[str, Any]]:
    """Run jobs on a pool of its own with a worker of its own, until the queue is empty."""
    token = services.environment["JSWORKER_POOL_TOKEN"]
    code = "setTimeout(() => console.log(process.argv[2]), 100)"
    ids = services.send(QUEUE, [program(batch, f"s{n}", code, args=[f"{n}"]) for n in range(JOBS)])
    with pool(folder, token, *options, **quirks) as own:
        common = {
            **services.environment,
            **own,
            "JSWORKER_QUEUE": QUEUE,
            "JSWORKER_RETRY_BASE_SECONDS": "0.1",
        }
        with killed({**common, **settings}, folder / "worker.log"):
            eventually(lambda: not services.waiting(QUEUE))
    return services.results(batch, ids, 1)


@pytest.mark.parametrize(
    ("sessions", "quirks"),
    [
        (2, {"when_full": "429", "allocation_seconds": 0.5}),
        (2, {"when_full": "404", "wrapped_body": True}),
        (2, {"when_full": "500", "accepted_status": True}),
        (4, {"unavailable_rate": 0.3}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_every_job_succeeds_at_its_first_attempt(
    services: Services, batch: str, tmp_path: Path, sessions: int, quirks: dict[str, Any]
) -> None:
    settings = {"JSWORKER_MAX_SESSIONS": "4"}
    results = run_with(
        services, batch, tmp_path, f"--max-sessions={sessions}", "--spares=1", settings=settings, **quirks
    )
    assert {job_id: result["stdout"]["text"] for job_id, result in results.items()} == {
        f"s{n}": f"{n}\n" for n in range(JOBS)
    }
    assert {(result["status"], result["attempts"]) for result in results.values()} == {("succeeded", 1)}


def test_where_sessions_cannot_be_deleted_their_permits_wait_until_they_are_released(
    services: Services, batch: str, tmp_path: Path
) -> None:
    settings = {"JSWORKER_MAX_SESSIONS": "4", "JSWORKER_SESSION_COOLDOWN_SECONDS": "1"}
    options = ("--max-sessions=4", "--cooldown=1", "--spares=2")
    results = run_with(services, batch, tmp_path, *options, settings=settings, delete_refused=405)
    assert {(result["status"], result["attempts"]) for result in results.values()} == {("succeeded", 1)}


def test_a_pool_that_cuts_every_answer_is_waited_for_and_no_job_pays_for_it_with_its_result(
    services: Services, batch: str, tmp_path: Path
) -> None:
    settings = {**services.environment, "JSWORKER_QUEUE": QUEUE, "JSWORKER_RETRY_BASE_SECONDS": "0.1"}
    token = services.environment["JSWORKER_POOL_TOKEN"]
    with (
        pool(tmp_path, token, cut_answers=True) as own,
        killed({**settings, **own, "JSWORKER_MAX_ATTEMPTS": "2"}, tmp_path / "worker.log") as worker,
    ):
        ids = services.send(QUEUE, [program(batch, f"s{n}", "console.log(1)") for n in range(JOBS)])
        eventually(lambda: worker.events("breaker_opened"))
        (tmp_path / "faults.json").write_text("{}")
        results = services.results(batch, ids)
    assert worker.events("breaker_closed")
    assert {result["status"] for result in results.values()} == {"succeeded"}
    assert max(result["deliveries"] for result in results.values()) > 1
    assert services.dead_letters(QUEUE) == []
