"""What becomes of an event's message, by what its receiver says."""

from __future__ import annotations

import base64
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.delivery import Delivery
from worker.faults import InfrastructureFault, JobRejected
from worker.setting_groups import WebhookSettings
from worker.settlement import Complete, DeadLetter, History, Retry
from worker.webhooks import Answer, Webhooks, backoff_seconds, waited_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    import structlog

    from worker.settlement import Settlement
    from worker.webhook_url import Target

NOW = 1_800_000_000.0
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
SETTINGS = {"webhook_hosts": "hooks.example.com", "webhook_secret": SECRET, "webhook_max_attempts": 3}
URL = "https://hooks.example.com/a-secret-path"


class FakePoster:
    """Answers as told, and keeps what was posted."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.posted: list[tuple[Target, Mapping[str, str], bytes]] = []

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        self.posted.append((target, headers, body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def delivery(url: str = URL, event_id: str = "e1", attempts: int = 0, body: bytes | None = b"{}") -> Delivery:
    properties = {"jsworker-webhook": url, "jsworker-event": event_id}
    history = History(attempts=attempts, copies=attempts)
    return Delivery(body, f"{event_id}:abc", 7, 0, history=history, properties=properties)


async def settled(
    answer: Answer | Exception | int, message: Delivery | None = None, poster: FakePoster | None = None
) -> Settlement:
    poster = poster or FakePoster(Answer(answer) if isinstance(answer, int) else answer)
    settings = WebhookSettings.model_validate(SETTINGS)
    return await Webhooks(poster, settings, lambda: NOW).process(message or delivery())


async def test_an_event_is_posted_signed_and_completed() -> None:
    poster = FakePoster(Answer(204))
    assert await settled(204, poster=poster) == Complete()
    ((target, headers, body),) = poster.posted
    assert (target.host, target.path, body) == ("hooks.example.com", "/a-secret-path", b"{}")
    assert headers["webhook-id"] == "e1"
    assert headers["webhook-timestamp"] == "1800000000"
    assert headers["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (410, "webhook_gone"), (400, "webhook_refused"), (404, "webhook_refused"), (451, "webhook_refused"),
        (301, "webhook_refused"), (307, "webhook_refused"), (304, "webhook_refused"),
    ],
)  # fmt: skip
async def test_what_no_repetition_mends_is_a_dead_letter_at_once(status: int, code: str) -> None:
    settlement = await settled(Answer(status, text="no such hook"))
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == code
    assert f"answered {status}: no such hook" in settlement.description


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 599])
async def test_what_may_pass_is_tried_again_from_a_copy(status: int) -> None:
    settlement = await settled(status)
    assert isinstance(settlement, Retry)
    assert (settlement.history.attempts, settlement.history.copies) == (1, 1)
    assert settlement.history.reasons == (f"the receiver answered {status}",)
    assert 0.75 * 5 <= settlement.delay <= 1.25 * 5


@pytest.mark.parametrize("fault", [InfrastructureFault("no answer within 15 s"), ZeroDivisionError("ours")])
async def test_a_receiver_out_of_reach_and_a_fault_of_our_own_are_tried_again(fault: Exception) -> None:
    assert isinstance(await settled(fault), Retry)


async def test_the_last_attempt_makes_a_dead_letter_that_says_why() -> None:
    assert isinstance(await settled(503, delivery(attempts=1)), Retry)
    assert await settled(503, delivery(attempts=2)) == DeadLetter(
        "webhook_exhausted", "3 attempts failed, the last so: the receiver answered 503"
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"url": "https://other.example.com/"}, "webhook_not_allowed"),
        ({"url": "https://10.0.0.1/"}, "webhook_not_allowed"),
        ({"url": "http://hooks.example.com/"}, "invalid_webhook"),
        ({"url": ""}, "invalid_webhook"),
        ({"event_id": "a\r\nb"}, "invalid_webhook"),
        ({"body": None}, "invalid_webhook"),
    ],
)
async def test_a_message_that_may_not_be_posted_is_a_dead_letter_and_nothing_is_sent(
    fields: dict[str, Any], code: str
) -> None:
    poster = FakePoster(Answer(204))
    settlement = await settled(204, delivery(**fields), poster)
    assert isinstance(settlement, DeadLetter)
    assert (settlement.reason, poster.posted) == (code, [])


async def test_a_message_of_something_else_is_a_dead_letter() -> None:
    settlement = await settled(204, Delivery(b"{}", "m", 1, 0))
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "invalid_webhook"


async def test_a_host_with_a_private_address_is_a_dead_letter() -> None:
    settlement = await settled(JobRejected("webhook_not_allowed", "the host has the address 10.0.0.1"))
    assert settlement == DeadLetter("webhook_not_allowed", "the host has the address 10.0.0.1")


@pytest.mark.parametrize("asked", ["60", formatdate(NOW + 60, usegmt=True)])
async def test_a_receiver_is_left_alone_for_as_long_as_it_asks(asked: str) -> None:
    settlement = await settled(Answer(429, retry_after=asked))
    assert isinstance(settlement, Retry)
    assert settlement.delay == pytest.approx(60, abs=1)


async def test_a_receiver_that_asks_for_less_waits_all_the_same() -> None:
    settlement = await settled(Answer(503, retry_after="0"))
    assert isinstance(settlement, Retry)
    assert settlement.delay >= 3


@given(st.text(max_size=40) | st.integers().map(str) | st.none())
def test_whatever_a_receiver_asks_for_is_bounded(asked: str | None) -> None:
    assert 0 <= waited_for(asked, NOW) <= 6 * 3600


def test_pauses_grow_to_their_longest() -> None:
    steps = [5, 30, 120, 600, 1800, 3600, 10800, 10800, 10800]
    for attempts, step in enumerate(steps, 1):
        assert 0.75 * step <= backoff_seconds(attempts, 5) <= 1.25 * step


async def test_neither_the_secret_nor_the_path_is_logged(quiet: list[structlog.typing.EventDict]) -> None:
    for answer in (204, 503, 404, InfrastructureFault("gone")):
        await settled(answer)
    await settled(204, delivery("https://other.example.com/a-secret-path"))
    assert len(quiet) == 5
    assert "secret-path" not in str(quiet)
    assert SECRET[6:] not in str(quiet)
