"""Asks a pool what is not known of its kind, and keeps what it answered."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker.doctor.pool_wire import wire_of
from worker.doctor.redaction import redacted
from worker.doctor.session_answers import new_identifier, removed
from worker.faults import ServiceFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from worker.doctor.context import Context
    from worker.doctor.pool_wire import Answer, PoolWire

    Question = Callable[["Probe"], Awaitable["Reply"]]

BODY_CHARS = 800
QUESTION_SECONDS = 180.0
_HEADERS = (
    "content-type",
    "retry-after",
    "operation-location",
    "x-ms-error-code",
    "x-ms-allocation-time",
    "x-ms-container-execution-duration",
)


@dataclass(frozen=True)
class Exchange:
    """A call and its answer, redacted."""

    call: str
    status: int
    seconds: float
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Reply:
    """What came of a question.

    Attributes:
        id: stable, in kebab-case.
        question: in words.
        answer: a sentence.
        facts: what was measured, JSON.
        exchanges: what it was taken from.
    """

    id: str
    question: str
    answer: str
    facts: dict[str, Any] = field(default_factory=dict)
    exchanges: tuple[Exchange, ...] = ()


class Probe:
    """The pool, with a record of what is asked of it."""

    def __init__(self, context: Context, wire: PoolWire) -> None:
        self.context, self.wire = context, wire
        self.exchanges: list[Exchange] = []
        token = context.settings.pool_token
        self._secrets = [context.settings.pool_endpoint, token.get_secret_value() if token else ""]

    def kept(self, call: str, answer: Answer) -> Answer:
        """Keep an answer for the report."""
        known = {name: answer.response.headers.get(name) for name in _HEADERS}
        headers = {name: self.redacted(value) for name, value in known.items() if value}
        body = self.redacted(answer.text)[:BODY_CHARS]
        self.exchanges.append(Exchange(call, answer.status, round(answer.seconds, 3), headers, body))
        return answer

    def redacted(self, text: str) -> str:
        """The text without what must not be sent in."""
        return redacted(text, self._secrets)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[str]:
        """An identifier for a session that is deleted at the end, if it came into being."""
        session, is_broken_off = new_identifier(), True
        try:
            yield session
            is_broken_off = False
        finally:
            await removed(self.context, session, is_broken_off=is_broken_off)


async def probe(context: Context, questions: Sequence[Question], tell: Callable[[str], None]) -> list[Reply]:
    """Ask all questions, one after another; what cannot be asked is told in its reply."""
    replies = []
    for question in questions:
        tell(_id(question))
        async with wire_of(context) as wire:
            replies.append(await _asked(Probe(context, wire), question))
    return replies


async def _asked(asking: Probe, question: Question) -> Reply:
    words = (question.__doc__ or "").partition("\n")[0]
    try:
        async with asyncio.timeout(QUESTION_SECONDS):
            reply = await question(asking)
    except (ServiceFault, TimeoutError) as error:
        said = str(error) or f"no answer within {QUESTION_SECONDS:g} s"
        reply = Reply("", "", f"not known: {said}")
    except Exception as error:  # noqa: BLE001 - an answer that nobody expected must not hide the others
        reply = Reply("", "", f"not known: {type(error).__name__}: {error}")
    facts = {name: _redacted(asking, value) for name, value in reply.facts.items()}
    return Reply(_id(question), words, asking.redacted(reply.answer), facts, tuple(asking.exchanges))


def _redacted(asking: Probe, value: Any) -> Any:  # noqa: ANN401 - what JSON has
    match value:
        case str():
            return asking.redacted(value)
        case list():
            return [_redacted(asking, each) for each in value]
        case dict():
            return {str(name): _redacted(asking, each) for name, each in value.items()}
    return value


def _id(question: Question) -> str:
    name: str = question.__name__
    return name.replace("_", "-")
