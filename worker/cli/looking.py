"""What ``jsworker top`` looks at: a worker's status, queues and the session pool."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import ValidationError

from worker.cli.running import Failure
from worker.status import PATH, Status
from worker.strict_json import decode_json

if TYPE_CHECKING:
    from datetime import datetime

SECONDS = 5.0
MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class Queue:
    """How many messages a queue has."""

    name: str
    active: int
    scheduled: int
    dead_lettered: int


@dataclass(frozen=True)
class Stack:
    """Queues, and the pool as a whole, whoever uses it.

    Attributes:
        sessions: how many the pool has allocated; None if that is not known.
        troubles: why what is missing is not known.
    """

    queues: tuple[Queue, ...] = ()
    sessions: int | None = None
    max_sessions: int = 0
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """What was seen at one moment, or last.

    Attributes:
        status: the worker's.
        trouble: why there is none, or none newer.
        lost_at: since when the worker that was seen is not answering.
    """

    status: Status | None = None
    stack: Stack | None = None
    trouble: str | None = None
    lost_at: datetime | None = None


async def ask(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """The document of the worker at a URL, checked to be one.

    Raises:
        Failure: there is none; says what to do.
    """
    try:
        async with asyncio.timeout(SECONDS), client.stream("GET", url + PATH) as answer:
            content = await _bounded(answer)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise Failure(
            f"no worker answers at {url} ({type(error).__name__}): start one with JSWORKER_HEALTH_PORT set, "
            "or say with --url where it is"
        ) from error
    if answer.status_code == httpx.codes.FORBIDDEN:
        raise Failure(f"the worker at {url} refuses: {_reason(content)}; run this on its own machine")
    try:
        document: dict[str, Any] = decode_json(content.decode())
        Status.model_validate(document)
    except (ValueError, RecursionError) as error:
        is_invalid = isinstance(error, ValidationError)
        raise Failure(
            f"what answers at {url} is no worker that tells its status (HTTP {answer.status_code}"
            f"{', another version' if is_invalid and answer.is_success else ''}): say with --url where it is"
        ) from error
    return document


async def _bounded(answer: httpx.Response) -> bytes:
    content = b""
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > MOST_BYTES:
            raise Failure(f"what answers at {answer.url} says too much to be a worker")
    return content


def _reason(content: bytes) -> str:
    try:
        return str(json.loads(content)["reasons"][0])
    except (ValueError, LookupError, TypeError, RecursionError):
        return "no reason is given"
