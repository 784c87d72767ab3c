"""The ends of jobs and batches are told, also when the worker is killed between commit and send."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage

from tests.system.worker.conftest import declare_queues
from tests.system.worker.processes import killed, run, working
from tests.system.worker.services import Services, eventually, program
from worker.local.background import running

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def events(services: Services, queue: str) -> list[dict[str, Any]]:
    """All that a queue was sent."""
    return [json.loads(b"".join(message.body)) for message in services.waiting(queue)]


def messages_of(services: Services, batch: str) -> list[ServiceBusReceivedMessage]:
    """Of the events, those of the batch: what other tests left in the outbox is told as well."""
    return [
        message
        for message in services.waiting("told")
        if json.loads(b"".join(message.body))["id"].startswith(f"{batch}/")
    ]


def winner(services: Services, batch: str, job_id: str) -> str:
    """The id of the event of the attempt that committed."""
    blob = services.blobs.get_blob_client("results", f"{batch}/{job_id}/result.json")
    return f"{batch}/{job_id}/{(blob.get_blob_properties().metadata or {})['attempt']}"


def records(services: Services) -> list[str]:
    return list(services.blobs.get_container_client("results").list_blob_names(name_starts_with="_outbox/"))


def test_a_batch_tells_of_each_job_and_once_of_itself(services: Services, batch: str, tmp_path: Path) -> None:
    manifest = tmp_path / "jobs.jsonl"
    ids = [f"s{number}" for number in range(5)]
    lines = (json.dumps(program(batch, job_id, "process.exit(3)")) + "\n" for job_id in ids)
    manifest.write_text("".join(lines))
    settings = {**services.environment, "JSWORKER_QUEUE": "telling", "JSWORKER_EVENTS_TO": "queue:told"}
    with working(settings, tmp_path / "worker.log"):
        submitted = run("submit", "--manifest", str(manifest), settings=settings)
        assert submitted.returncode == 0, submitted.stderr
        services.results(batch, ids)
        eventually(lambda: len(messages_of(services, batch)) >= 6)
        eventually(lambda: not records(services))
    messages = messages_of(services, batch)
    told = {event["id"]: event for event in (json.loads(b"".join(message.body)) for message in messages)}
    assert len(told) == len(messages) == 6
    jobs = {name: event for name, event in told.items() if event["type"] == "io.jsworker.job.completed"}
    assert set(jobs) == {winner(services, batch, job_id) for job_id in ids}
    assert {event["data"]["status"] for event in jobs.values()} == {"failed"}
    (of_batch,) = (event for name, event in told.items() if name not in jobs)
    mark = json.loads(services.blob(f"results/{batch}/_batch/complete.json"))["mark"]
    assert (of_batch["id"], of_batch["data"]["statuses"]) == (f"{batch}/complete/{mark}", {"failed": 5})
    assert {message.content_type for message in messages} == {"application/cloudevents+json"}
    assert {(message.application_properties or {}).get(b"status") for message in messages} == {
        b"failed",
        None,
    }


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[tuple[Services, Path]]:
    """A stack of the test's own, and the file of its faults."""
    state, faults = tmp_path / "state", tmp_path / "faults.json"
    faults.write_text("{}")
    declare_queues(state, {"jobs": 5, "told": 60})
    up = run("local", "up", "--state", str(state), "--max-sessions", "1", "--faults", str(faults))
    assert up.returncode == 0, up.stderr
    environment = running(state)
    assert environment
    services = Services(environment)
    yield services, faults
    services.close()
    assert run("local", "down", "--state", str(state)).returncode == 0


@pytest.mark.timeout(180)
def test_a_worker_that_is_killed_between_commit_and_send_loses_no_event(
    faulty: tuple[Services, Path], batch: str, tmp_path: Path
) -> None:
    services, faults = faulty
    settings = {**services.environment, "JSWORKER_EVENTS_TO": "queue:told"}
    slow = program(batch, "a", "setTimeout(() => console.log(1), 2500)")
    sent = ServiceBusMessage(json.dumps(slow), message_id="a", application_properties={"traceparent": PARENT})
    services.send_messages("jobs", [sent])
    with killed(settings, tmp_path / "killed.log"):
        eventually(services.sessions)
        faults.write_text(json.dumps({"broker": {"hang": True}}))
        eventually(lambda: services.result(batch, "a"))
    faults.write_text("{}")
    (record,) = records(services)
    with working(settings, tmp_path / "next.log", "--drain") as following:
        assert following.status(90) == 0
    (event,) = events(services, "told")
    assert event["id"] == winner(services, batch, "a")
    assert record == f"_outbox/{event['id']}.json"
    assert event["traceparent"][:36] == PARENT[:36]
    assert records(services) == []
