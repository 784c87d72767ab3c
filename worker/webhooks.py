"""From an event's delivery to a webhook to the message's settlement. It raises only when cancelled."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from worker.faults import InfrastructureFault, JobRejected
from worker.settlement import Complete, DeadLetter, Retry
from worker.webhook_signing import signature_headers
from worker.webhook_url import INVALID, allowed_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.delivery import Delivery
    from worker.setting_groups import WebhookSettings
    from worker.settlement import Settlement
    from worker.webhook_url import Target

log = structlog.get_logger()
URL_PROPERTY: Final = "jsworker-webhook"
EVENT_PROPERTY: Final = "jsworker-event"
GONE, REFUSED, EXHAUSTED = "webhook_gone", "webhook_refused", "webhook_exhausted"
BACKOFF = (1, 6, 24, 120, 360, 720, 2160)  # by the first pause; from then on the last
LONGEST_WAIT_SECONDS = 6 * 3600.0  # that a receiver may ask for
_PASSING = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_EVENT_ID = re.compile(r"[!-~]{1,256}")


@dataclass(frozen=True)
class Answer:
    """What a receiver said, all of it untrusted.

    Attributes:
        status: of HTTP.
        retry_after: the header as it came.
        text: the beginning of the body.
    """

    status: int
    retry_after: str | None = None
    text: str = ""


class Poster(Protocol):
    """Posts to a host that is allowed; see ``worker.webhook_posting.HttpPoster``."""

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer: ...  # noqa: D102 - the adapter says


class Webhooks:
    """Posts each event to its webhook, signed; a failure is tried again from a scheduled copy.

    Args:
        poster: the adapter.
        settings: allowed hosts, keys and bounds.
        clock: seconds since the epoch, for signatures and for dates that receivers name.
    """

    def __init__(
        self, poster: Poster, settings: WebhookSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self._poster, self._settings, self._clock = poster, settings, clock

    async def process(self, delivery: Delivery) -> Settlement:
        """Post the event and say how its message is to be settled."""
        try:
            return self._judged(delivery, await self._answer(delivery))
        except JobRejected as rejection:
            return _given_up(rejection.code, rejection.message)
        except InfrastructureFault as fault:
            return self._again(delivery, str(fault))
        except Exception as error:  # a fault of our own must neither lose the event nor end the slot
            log.exception("webhook_failed_unexpectedly")
            return self._again(delivery, f"the worker failed: {type(error).__name__}")

    async def _answer(self, delivery: Delivery) -> Answer:
        event_id, url = (delivery.properties.get(name, "") for name in (EVENT_PROPERTY, URL_PROPERTY))
        if delivery.body is None or not is_event_id(event_id):
            raise JobRejected(INVALID, f"the message has no body of data, or no property {EVENT_PROPERTY}")
        target = allowed_target(url, self._settings.webhook_hosts, URL_PROPERTY)
        structlog.contextvars.bind_contextvars(event_id=event_id, host=target.host)
        timestamp = int(self._clock())
        headers = signature_headers(self._settings.webhook_keys, event_id, timestamp, delivery.body)
        return await self._poster.post(target, headers, delivery.body)

    def _judged(self, delivery: Delivery, answer: Answer) -> Settlement:
        status = answer.status
        words = f"the receiver answered {status}" + (f": {answer.text}" if answer.text else "")
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's
            log.info("webhook_delivered", status=status, attempts=delivery.history.attempts + 1)
            return Complete()
        if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._again(delivery, words, waited_for(answer.retry_after, self._clock()))
        if 300 <= status < 400:  # noqa: PLR2004 - HTTP's
            return _given_up(REFUSED, f"{words} (redirects are not followed)")
        return _given_up(GONE if status == HTTPStatus.GONE else REFUSED, words)

    def _again(self, delivery: Delivery, reason: str, at_least_seconds: float = 0) -> Settlement:
        history = delivery.history.after_attempt(reason)
        if history.attempts >= self._settings.webhook_max_attempts:
            return _given_up(EXHAUSTED, f"{history.attempts} attempts failed, the last so: {reason}")
        delay = max(
            at_least_seconds, backoff_seconds(history.attempts, self._settings.webhook_retry_base_seconds)
        )
        log.warning("webhook_postponed", reason=reason, attempts=history.attempts)
        return Retry(delay, history)


def is_event_id(text: str) -> bool:
    """Whether a text can be an event's id: it stands in a header."""
    return _EVENT_ID.fullmatch(text) is not None


def backoff_seconds(attempts: int, base: float) -> float:
    """How long to wait after so many failed attempts, one or more; a quarter up or down at random."""
    step = base * BACKOFF[min(attempts, len(BACKOFF)) - 1]
    return step * random.uniform(0.75, 1.25)  # noqa: S311 - jitter


def waited_for(retry_after: str | None, time_seconds: float) -> float:
    """The seconds that a ``retry-after`` header asks for, within bounds; 0 when it asks for nothing."""
    text = (retry_after or "").strip()
    try:
        seconds = float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - time_seconds
    except (ValueError, TypeError, OverflowError):
        return 0
    return min(max(0, seconds), LONGEST_WAIT_SECONDS)


def _given_up(code: str, reason: str) -> DeadLetter:
    log.warning("webhook_dead_lettered", code=code, reason=reason)
    return DeadLetter(code, reason)
