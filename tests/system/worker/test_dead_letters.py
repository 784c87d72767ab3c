"""Dead letters of the broker and of operators: results within seconds, replay and purge from the shell."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from tests.system.worker.processes import COMMAND, ROOT, environment, run, working
from tests.system.worker.services import Services, eventually, program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

QUEUE = "dead"
DELIVERIES = 20  # as the queue is declared
SECONDS = 15.0  # to a result, on a busy machine


@pytest.fixture
def settings(services: Services) -> dict[str, str]:
    return {**services.environment, "JSWORKER_QUEUE": QUEUE, "JSWORKER_MAX_SESSIONS": "1"}


def bus(settings: dict[str, str]) -> ServiceBusClient:
    return ServiceBusClient.from_connection_string(settings["JSWORKER_SERVICEBUS_CONNECTION_STRING"])


def delivered_too_often(settings: dict[str, str], jobs: list[dict[str, Any]]) -> None:
    """Let each job's message be delivered and given back until the broker takes it out."""
    with bus(settings) as client, client.get_queue_sender(QUEUE) as sender:
        sender.send_messages([ServiceBusMessage(json.dumps(job), message_id=job["id"]) for job in jobs])
        with client.get_queue_receiver(QUEUE) as receiver:
            for _ in range(DELIVERIES * len(jobs)):
                (message,) = receiver.receive_messages(1)
                receiver.abandon_message(message)


def expiring(job: dict[str, Any]) -> ServiceBusMessage:
    return ServiceBusMessage(json.dumps(job), message_id=job["id"], time_to_live=timedelta(seconds=1))


def reasons(services: Services, ids: Iterable[str]) -> dict[str, str | None]:
    wanted = set(ids)
    return {
        str(letter.message_id): letter.dead_letter_reason
        for letter in services.dead_letters(QUEUE)
        if letter.message_id in wanted
    }


def deadletters(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("deadletters", *arguments, settings=settings)


def test_what_the_broker_takes_out_has_a_result_within_seconds_and_runs_when_it_is_replayed(
    services: Services, settings: dict[str, str], batch: str, tmp_path: Path
) -> None:
    lost = [f"{batch}-lost-{number}" for number in range(2)]
    late = f"{batch}-late"
    busy = f"{batch}-busy"
    delivered_too_often(settings, [program(batch, job_id, "console.log('ran')") for job_id in lost])
    with working({**settings, "JSWORKER_LOOKAHEAD": "0"}, tmp_path / "worker.log"):
        results = services.results(batch, lost, SECONDS)
        assert {result["error"]["code"] for result in results.values()} == {"lost"}
        services.send(QUEUE, [program(batch, busy, "setTimeout(() => {}, 3000)")])
        services.send_messages(QUEUE, [expiring(program(batch, late, "console.log('ran')"))])
        eventually(lambda: reasons(services, [late]))
        expired = services.results(batch, [late], SECONDS)[late]
        assert (expired["status"], expired["error"]["code"]) == ("infrastructure_failed", "expired")
        assert set(reasons(services, [*lost, late]).values()) == {
            "MaxDeliveryCountExceeded", "TTLExpiredException",
        }  # fmt: skip
        services.results(batch, [busy])
        before = services.etags(batch)
        replayed = deadletters(settings, "replay", "--batch", batch, "--reason", "MaxDeliveryCountExceeded")
        assert (replayed.returncode, replayed.stdout) == (0, ""), replayed.stderr
        assert "2 of 2 replayed" in replayed.stderr
        eventually(
            lambda: all((services.result(batch, name) or {})["status"] == "succeeded" for name in lost)
        )
        assert services.etags(batch)[late] == before[late]
    assert reasons(services, [*lost, late]) == {late: "TTLExpiredException"}
    kept = services.blobs.get_container_client("results").list_blob_names(
        name_starts_with=f"{batch}/{lost[0]}/"
    )
    assert [name for name in kept if name.endswith("/replaced.json")]
    purged = deadletters(settings, "purge", "--batch", batch, "--yes")
    assert (purged.returncode, reasons(services, [late])) == (0, {}), purged.stderr


def test_a_replay_that_is_interrupted_or_killed_loses_nothing_and_is_taken_up_again(
    services: Services, settings: dict[str, str], batch: str
) -> None:
    ids = [f"{batch}-{number}" for number in range(8)]
    with bus(settings) as client, client.get_queue_sender(QUEUE) as sender:
        jobs = [program(batch, job_id, "console.log('ran')") for job_id in ids]
        sender.send_messages([ServiceBusMessage(json.dumps(job), message_id=job["id"]) for job in jobs])
        with client.get_queue_receiver(QUEUE) as receiver:
            for _ in ids:
                (message,) = receiver.receive_messages(1)
                receiver.dead_letter_message(message, reason="operator")
    for number, status in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        before = len(_dead(services, ids))
        with _replaying(settings, batch) as process:
            eventually(lambda count=before: len(_dead(services, ids)) < count)  # type: ignore[misc] # of this round
            process.send_signal(number)
            assert process.stderr
            said = process.stderr.read()
            process.wait(60)
        assert process.returncode == status, said
        assert (f"of {before} replayed" in said) is (number is signal.SIGINT), said
        dead = _dead(services, ids)
        assert dead | _copied(services, ids) == set(ids)
        assert 0 < len(dead) < before
    rest = eventually(lambda: _replayed(services, settings, batch, ids), 120)
    assert rest == set(ids)
    results = {name: (services.result(batch, name) or {})["error"]["code"] for name in ids}
    assert set(results.values()) == {"dead_lettered"}
    assert run("run", "--drain", settings=settings).returncode == 0
    assert {(services.result(batch, name) or {})["status"] for name in ids} == {"succeeded"}


@contextmanager
def _replaying(settings: dict[str, str], batch: str) -> Iterator[subprocess.Popen[str]]:
    """A replay so slow that it is still under way when it is looked at; ended with the context."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "deadletters", "replay", "--batch", batch, "--rate", "0.2"],
        cwd=ROOT,
        env=environment(settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _replayed(services: Services, settings: dict[str, str], batch: str, ids: list[str]) -> set[str]:
    """Replay what is left; all ids once no letter is, when the locks of the killed one have expired."""
    deadletters(settings, "replay", "--batch", batch)
    return set() if _dead(services, ids) else _copied(services, ids)


def _dead(services: Services, ids: list[str]) -> set[str]:
    return reasons(services, ids).keys() & set(ids)


def _copied(services: Services, ids: list[str]) -> set[str]:
    found = {str(message.message_id).rpartition(".d")[0] for message in services.waiting(QUEUE)}
    return found & set(ids)
