"""Several queues, and batches of very different sizes, in a real worker on the local stack."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from tests.system.worker.processes import run, working
from tests.system.worker.services import program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.worker.services import Services

PROGRAM = "console.log('ran')"


def test_a_worker_takes_from_all_its_queues_and_tells_of_the_one_that_does_not_exist(
    services: Services, batch: str, tmp_path: Path
) -> None:
    settings = {
        **services.environment,
        "JSWORKER_QUEUES": "urgent:4,ordinary:1,nowhere:2",
        "JSWORKER_MAX_SESSIONS": "2",
    }
    del settings["JSWORKER_QUEUE"]
    ordinary = services.send("ordinary", [program(batch, f"o{number}", PROGRAM) for number in range(20)])
    with working(settings, tmp_path / "worker.log") as worker:
        services.results(batch, ordinary[:3])
        urgent = services.send("urgent", [program(batch, f"u{number}", PROGRAM) for number in range(5)])
        found = services.results(batch, [*ordinary, *urgent])
    assert {result["status"] for result in found.values()} == {"succeeded"}
    told = [event for event in worker.events("queue_unavailable") if event["queue"] == "nowhere"]
    assert "does not exist" in str(told[0]["reason"])
    assert services.waiting("ordinary") == services.waiting("urgent") == []


def test_dead_letters_of_every_queue_get_their_results_and_are_dealt_with(
    services: Services, batch: str, tmp_path: Path
) -> None:
    settings = {**services.environment, "JSWORKER_QUEUES": "urgent:4,ordinary", "JSWORKER_QUEUE": "urgent"}
    for queue in ("urgent", "ordinary"):
        services.send(queue, [program(batch, queue, PROGRAM)])
        services.dead_letter(queue, "spam")
    with working(settings, tmp_path / "worker.log"):
        found = services.results(batch, ["urgent", "ordinary"])
        assert {result["error"]["code"] for result in found.values()} == {"dead_lettered"}
        listed = run("deadletters", "list", "--batch", batch, "--long", "--json", settings=settings)
        letters = [json.loads(line) for line in listed.stdout.splitlines()]
        assert {(letter["queue"], letter["id"]) for letter in letters} == {
            ("urgent", "urgent"), ("ordinary", "ordinary"),
        }  # fmt: skip
        replayed = run("deadletters", "replay", "--batch", batch, settings=settings)
        assert "2 of 2 replayed" in replayed.stderr
        assert replayed.returncode == 0
    assert services.dead_letters("urgent") == services.dead_letters("ordinary") == []


def test_five_jobs_behind_a_hundred_and_fifty_are_not_shut_out(
    services: Services, batch: str, tmp_path: Path
) -> None:
    large, small = f"{batch}-large", f"{batch}-small"
    services.send("fair", [program(large, f"l{number}", PROGRAM) for number in range(150)])
    few = services.send("fair", [program(small, f"s{number}", PROGRAM) for number in range(5)])
    settings = {**services.environment, "JSWORKER_QUEUE": "fair", "JSWORKER_MAX_SESSIONS": "2"}
    with working(settings, tmp_path / "worker.log", "--drain") as worker:
        assert worker.status(120) == 0
    assert len(services.etags(large)) == 150
    last = max(_finished(services, small, job_id) for job_id in few)
    later = sum(_finished(services, large, f"l{number}") > last for number in range(0, 150, 5))
    assert later >= 15, "most of the large batch ended after the small one"
    assert worker.events("batch_gives_way")


def _finished(services: Services, batch: str, job_id: str) -> datetime:
    result = services.result(batch, job_id)
    assert result
    return datetime.fromisoformat(result["finished_at"])
