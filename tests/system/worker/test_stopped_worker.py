"""How a worker ends: in order, hastened, or because there is nothing left to do."""

import signal
from pathlib import Path

from tests.system.worker.processes import killed, working
from tests.system.worker.services import Services, eventually, program

FOREVER = b"console.log('started'); setInterval(() => {}, 1e6)"
QUICK = b"console.log('done')"


def endless(services: Services, batch: str, job_id: str) -> dict[str, object]:
    """A job that runs until its time limit as long as its blob says so."""
    blob = services.upload(f"submissions/{batch}/{job_id}.js", FOREVER)
    return {
        "version": 1,
        "id": job_id,
        "batch": batch,
        "code": {"blob": blob},
        "limits": {"timeout_seconds": 150},
    }


def test_a_stopped_worker_finishes_what_ends_in_its_grace_and_hands_the_rest_to_another(
    services: Services, batch: str, tmp_path: Path
) -> None:
    settings = {
        **services.environment,
        "JSWORKER_QUEUE": "stopped",
        "JSWORKER_LOOKAHEAD": "0",
        "JSWORKER_SHUTDOWN_GRACE_SECONDS": "7",
    }
    with working(settings, tmp_path / "stopped.log") as worker:
        long = services.send("stopped", [endless(services, batch, f"long-{n}") for n in range(2)])
        eventually(lambda: len(services.sessions()) == 2)
        short = services.send(
            "stopped", [program(batch, f"short-{n}", "setTimeout(() => {}, 4000)") for n in range(2)]
        )
        eventually(lambda: len(services.sessions()) == 4)
        late = services.send("stopped", [program(batch, f"late-{n}", "0") for n in range(3)])
        worker.signal(signal.SIGTERM)
        assert worker.status() == 0
    assert services.etags(batch).keys() == set(short)
    assert services.sessions() == []
    left = {message.message_id: message.delivery_count for message in services.waiting("stopped")}
    assert left == dict.fromkeys(long, 1) | dict.fromkeys(late, 0)
    for job_id in long:
        services.upload(f"submissions/{batch}/{job_id}.js", QUICK)
    with working(settings, tmp_path / "other.log"):
        results = services.results(batch, [*long, *late, *short], 30)
    assert {result["status"] for result in results.values()} == {"succeeded"}
    assert {results[job_id]["stdout"]["text"] for job_id in long} == {"done\n"}
    assert services.dead_letters("stopped") == []


def test_a_second_signal_ends_a_worker_before_its_grace_and_still_hands_its_jobs_back(
    services: Services, batch: str, tmp_path: Path
) -> None:
    settings = {
        **services.environment,
        "JSWORKER_QUEUE": "hastened",
        "JSWORKER_SHUTDOWN_GRACE_SECONDS": "600",
    }
    with killed(settings, tmp_path / "hastened.log") as worker:
        services.send("hastened", [endless(services, batch, "endless")])
        eventually(services.sessions)
        worker.signal(signal.SIGTERM)
        eventually(lambda: worker.events("worker_stopping"))
        worker.signal(signal.SIGTERM)
        assert worker.status() == 128 + signal.SIGTERM
    assert services.sessions() == []
    assert services.etags(batch) == {}
    with services.received("hastened") as message:
        assert (message.message_id, message.delivery_count) == ("endless", 1)


def test_a_draining_worker_ends_with_status_zero_when_the_queue_is_empty(
    services: Services, batch: str, tmp_path: Path
) -> None:
    settings = {**services.environment, "JSWORKER_QUEUE": "drained"}
    ids = services.send("drained", [program(batch, f"s{n}", "console.log(1)") for n in range(6)])
    with working(settings, tmp_path / "drained.log", "--drain") as worker:
        assert worker.status() == 0
    assert services.etags(batch).keys() == set(ids)
    assert services.waiting("drained") == []
