"""Posting to a receiver over TLS: what it gets, what is made of its answers, and where nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.receiver import Says, receiving
from worker.faults import InfrastructureFault, JobRejected
from worker.setting_groups import WebhookSettings
from worker.webhook_posting import HttpPoster
from worker.webhook_url import Target
from worker.webhooks import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.receiver import Receiver

NAME = "hooks.example"  # resolved by nobody but the tests
LOCAL = "127.0.0.1"
PUBLIC = "203.0.114.7"
HEADERS = {"webhook-id": "e1"}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path, NAME) as receiver:
        yield receiver


class Names:
    """A name server whose answers follow each other; the last stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def poster(receiver: Receiver, names: Names | None = None, **values: object) -> HttpPoster:
    given = {"webhook_ca_file": str(receiver.authority), "webhook_private_networks": "127.0.0.1/32"} | values
    return HttpPoster(WebhookSettings.model_validate(given), names or Names([LOCAL]))


def target(receiver: Receiver, host: str = NAME, path: str = "/hook?x=%20y") -> Target:
    return Target(host, receiver.port, path)


async def test_an_event_arrives_as_it_is_at_the_host_that_was_named(receiver: Receiver) -> None:
    answer = await poster(receiver).post(target(receiver), HEADERS, b'{"a": "\xc3\xbc"}')
    assert answer == Answer(204)
    (posted,) = receiver.posted
    assert (posted.path, posted.body) == ("/hook?x=%20y", b'{"a": "\xc3\xbc"}')
    assert posted.headers["host"] == f"{NAME}:{receiver.port}"
    assert posted.headers["webhook-id"] == "e1"
    assert posted.headers["content-type"] == "application/cloudevents+json"
    assert posted.headers["user-agent"].startswith("jsworker/")
    assert not posted.headers.keys() & {"cookie", "authorization", "accept-encoding"}


async def test_a_certificate_of_another_name_is_refused(receiver: Receiver) -> None:
    with pytest.raises(InfrastructureFault, match=r"(?i)certificate.*mismatch"):
        await poster(receiver).post(target(receiver, "other.example"), HEADERS, b"{}")
    assert receiver.posted == []


async def test_a_certificate_of_an_unknown_authority_is_refused(receiver: Receiver) -> None:
    with pytest.raises(InfrastructureFault, match="CERTIFICATE_VERIFY_FAILED"):
        await poster(receiver, webhook_ca_file=None).post(target(receiver), HEADERS, b"{}")
    assert receiver.posted == []


@pytest.mark.parametrize("addresses", [[LOCAL], [PUBLIC, "10.0.0.1"], ["::ffff:127.0.0.1"]], ids=str)
async def test_a_host_with_any_address_that_is_not_public_is_refused(
    receiver: Receiver, addresses: list[str]
) -> None:
    with pytest.raises(JobRejected, match="which is not public") as refused:
        await poster(receiver, Names(addresses), webhook_private_networks=()).post(
            target(receiver), HEADERS, b"{}"
        )
    assert refused.value.code == "webhook_not_allowed"
    assert receiver.posted == []


async def test_a_name_that_means_another_address_a_moment_later_gains_nothing(receiver: Receiver) -> None:
    names = Names([LOCAL], ["169.254.169.254"])
    assert await poster(receiver, names).post(target(receiver), HEADERS, b"{}") == Answer(204)
    assert names.asked == [(NAME, receiver.port)]
    with pytest.raises(JobRejected, match=r"169\.254\.169\.254"):
        await poster(receiver, names).post(target(receiver), HEADERS, b"{}")
    assert len(receiver.posted) == 1


async def test_the_next_address_is_tried_when_no_connection_can_be_made(receiver: Receiver) -> None:
    names = Names(["127.0.0.2", LOCAL])
    posting = poster(receiver, names, webhook_private_networks="127.0.0.0/8")
    assert await posting.post(target(receiver), HEADERS, b"{}") == Answer(204)


async def test_redirects_are_not_followed_and_cookies_not_kept(receiver: Receiver) -> None:
    headers = {"location": receiver.url(NAME, "/elsewhere"), "set-cookie": "a=b"}
    receiver.answers = [Says(307, headers), Says()]
    posting = poster(receiver)
    assert (await posting.post(target(receiver), HEADERS, b"{}")).status == 307
    await posting.post(target(receiver), HEADERS, b"{}")
    assert [posted.path for posted in receiver.posted] == ["/hook?x=%20y"] * 2
    assert "cookie" not in receiver.posted[1].headers


async def test_a_proxy_of_the_environment_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await poster(receiver).post(target(receiver), HEADERS, b"{}") == Answer(204)


async def test_of_what_a_failure_says_the_beginning_is_kept_on_one_line(receiver: Receiver) -> None:
    receiver.answers = [Says(503, {"retry-after": "7"}, b"\x1b[31mno\r\nlevel=error " + b"x" * (1 << 20))]
    answer = await poster(receiver).post(target(receiver), HEADERS, b"{}")
    assert (answer.status, answer.retry_after) == (503, "7")
    assert answer.text.startswith("\N{REPLACEMENT CHARACTER}[31mno level=error xxx")
    assert len(answer.text) == 300


async def test_a_receiver_that_stalls_is_left(receiver: Receiver) -> None:
    receiver.answers = [Says(stall_seconds=30)]
    with pytest.raises(InfrastructureFault, match=r"no answer within 0\.3 s"):
        await poster(receiver, webhook_timeout_seconds=0.3).post(target(receiver), HEADERS, b"{}")


async def test_a_receiver_that_breaks_off_after_its_status_has_answered(receiver: Receiver) -> None:
    receiver.answers = [Says(410, {"content-length": "100"}, b"gone")]
    answer = await poster(receiver).post(target(receiver), HEADERS, b"{}")
    assert (answer.status, answer.text) == (410, "gone")


@pytest.mark.parametrize("names", [Names(["127.0.0.2"]), Names([])], ids=["no listener", "no address"])
async def test_a_receiver_that_is_not_there_is_out_of_reach(receiver: Receiver, names: Names) -> None:
    with pytest.raises(InfrastructureFault):
        await poster(receiver, names, webhook_private_networks="127.0.0.0/8").post(
            target(receiver), HEADERS, b"{}"
        )


async def test_names_are_resolved_by_the_system(receiver: Receiver) -> None:
    settings = WebhookSettings(webhook_ca_file=str(receiver.authority))
    with pytest.raises(JobRejected, match="'localhost' has the address"):
        await HttpPoster(settings).post(target(receiver, "localhost"), HEADERS, b"{}")
    with pytest.raises(InfrastructureFault, match="out of reach"):
        await HttpPoster(settings).post(target(receiver, "nobody.invalid"), HEADERS, b"{}")
