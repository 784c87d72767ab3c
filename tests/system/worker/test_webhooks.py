"""Events on their queue, through a worker, to a receiver over TLS; and what people do with those given up."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tests.receiver import Says, receiving
from tests.system.worker.processes import run, working
from tests.system.worker.services import Services, eventually, program
from worker.messages import encoded
from worker.webhook_message import webhook_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.receiver import Receiver

HOOKS, GIVEN_UP, DRAINED = "hooks", "hooks-given-up", "hooks-drained"
SECRET = "whsec_" + base64.b64encode(b"a secret of our receivers").decode()
EVENT = json.dumps({"specversion": "1.0", "id": "e1", "source": "/x", "type": "t", "data": "ü"}).encode()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path, "localhost") as receiver:
        yield receiver


@pytest.fixture
def settings(services: Services, receiver: Receiver) -> dict[str, str]:
    return {
        **services.environment,
        "JSWORKER_QUEUE": "hooked",
        "JSWORKER_MAX_SESSIONS": "1",
        "JSWORKER_WEBHOOKS_QUEUE": HOOKS,
        "JSWORKER_WEBHOOK_HOSTS": "localhost",
        "JSWORKER_WEBHOOK_SECRET": SECRET,
        "JSWORKER_WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8,::1/128",
        "JSWORKER_WEBHOOK_CA_FILE": str(receiver.authority),
        "JSWORKER_WEBHOOK_RETRY_BASE_SECONDS": "0.2",
    }


def announce(services: Services, queue: str, url: str, event_id: str) -> None:
    services.send_messages(queue, [encoded(webhook_message(url, event_id, EVENT))])


def dead(services: Services, queue: str) -> list[str | None]:
    return [letter.dead_letter_reason for letter in services.dead_letters(queue)]


def test_an_event_arrives_although_its_receiver_fails_twice(
    services: Services, settings: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answers = [Says(503), Says(429), Says(204)]
    with working(settings, tmp_path / "worker.log") as worker:
        announce(services, HOOKS, receiver.url("localhost"), "e1")
        eventually(lambda: worker.events("webhook_delivered"))
        eventually(lambda: not services.waiting(HOOKS))
    assert [posted.headers["webhook-id"] for posted in receiver.posted] == ["e1"] * 3
    assert {posted.body for posted in receiver.posted} == {EVENT}
    assert dead(services, HOOKS) == []
    assert SECRET[6:] not in (tmp_path / "worker.log").read_text()


def test_what_is_given_up_is_told_and_can_be_sent_again(
    services: Services, settings: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    settings["JSWORKER_WEBHOOKS_QUEUE"] = GIVEN_UP
    receiver.answers = [Says(410, body=b"no such \x1b[31mhook"), Says(204)]
    with working(settings, tmp_path / "worker.log") as worker:
        announce(services, GIVEN_UP, receiver.url("localhost", "/token"), "e2")
        announce(services, GIVEN_UP, "https://elsewhere.example/token", "e3")
        eventually(
            lambda: sorted(map(str, dead(services, GIVEN_UP))) == ["webhook_gone", "webhook_not_allowed"]
        )
        told = run("webhooks", "list", settings=settings)
        assert (
            "webhook_gone: the receiver answered 410: no such \N{REPLACEMENT CHARACTER}[31mhook"
            in told.stdout
        )
        assert "token" not in told.stdout
        dry = run("webhooks", "replay", "--host", "LOCALHOST", "--dry-run", settings=settings)
        assert (dry.returncode, dry.stderr) == (0, "1 events match; none was replayed\n")
        done = run("webhooks", "replay", "--id", "e2", settings=settings)
        assert (done.returncode, done.stderr) == (0, "1 of 1 replayed\n")
        eventually(lambda: worker.events("webhook_delivered"))
    left = run("webhooks", "list", "--json", settings=settings).stdout.splitlines()
    assert [json.loads(line)["event_id"] for line in left] == ["e3"]
    assert [posted.headers["webhook-id"] for posted in receiver.posted] == ["e2", "e2"]


def test_a_worker_that_drains_posts_what_waits_and_leaves_what_is_for_later(
    services: Services, settings: dict[str, str], receiver: Receiver, batch: str, tmp_path: Path
) -> None:
    settings["JSWORKER_WEBHOOKS_QUEUE"] = DRAINED
    receiver.answers = [Says(204, stall_seconds=2), Says(503, {"retry-after": "600"})]
    announce(services, DRAINED, receiver.url("localhost"), "e4")
    announce(services, DRAINED, receiver.url("localhost"), "e5")
    services.send("hooked", [program(batch, "j1", "console.log(1)")])
    with working(settings, tmp_path / "worker.log", "--drain") as worker:
        assert worker.status() == 0
    assert services.result(batch, "j1")
    (left,) = services.waiting(DRAINED)
    assert left.application_properties
    assert left.application_properties[b"jsworker-event"] in {b"e4", b"e5"}
    assert len(receiver.posted) == 2


def test_a_ping_shows_what_the_receiver_says(settings: dict[str, str], receiver: Receiver) -> None:
    receiver.answers = [Says(200), Says(401, body=b"bad signature")]
    first = run("webhooks", "ping", receiver.url("localhost"), settings=settings)
    assert (first.returncode, first.stdout) == (0, "200\n")
    second = run("webhooks", "ping", receiver.url("localhost"), settings=settings)
    assert (second.returncode, second.stdout) == (1, "401 bad signature\n")
    refused = run("webhooks", "ping", "https://elsewhere.example", settings=settings)
    assert refused.returncode == 1
    assert "not in JSWORKER_WEBHOOK_HOSTS" in refused.stderr
