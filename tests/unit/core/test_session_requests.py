"""What comes from a session pool in pieces is waited for as long as it comes at a rate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.core.world import settings
from worker.clock import now
from worker.faults import ExecutionLost
from worker.session_requests import LEAST_RATE, READ_SECONDS, steadily
from worker.sessions import SessionPool
from worker.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator


class Trickle(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(1000):
            await asyncio.sleep(READ_SECONDS / 2)
            yield b"x"


class Transport(httpx.AsyncBaseTransport):
    """Answers after a time, by default with what trickles."""

    def __init__(self, status: int, seconds: float, stream: httpx.AsyncByteStream | None = None) -> None:
        self._status, self._seconds, self._stream = status, seconds, stream or Trickle()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self._seconds)
        return httpx.Response(self._status, stream=self._stream, request=request)


def pool_of(transport: Transport) -> SessionPool:
    return SessionPool(settings(), Tokens(None, "t"), [transport])


async def pieces(*timed: tuple[float, int]) -> AsyncGenerator[bytes]:
    for seconds, size in timed:
        await asyncio.sleep(seconds)
        yield bytes(size)


async def test_pieces_that_come_at_the_rate_are_waited_for_however_long_it_takes() -> None:
    begin, count = now(), 0
    async for piece in steadily(pieces(*[(READ_SECONDS / 2, LEAST_RATE * 30)] * 100)):
        count += len(piece)
    assert (count, now() - begin) == (LEAST_RATE * 3000, READ_SECONDS * 50)


async def test_pieces_that_trickle_are_given_up_after_a_bounded_time() -> None:
    begin = now()
    with pytest.raises(TimeoutError):
        async for _ in steadily(pieces(*[(READ_SECONDS / 4, 1)] * 100)):
            pass
    assert now() - begin == pytest.approx(READ_SECONDS, abs=0.1)


async def test_the_time_of_whoever_takes_the_pieces_does_not_count() -> None:
    count = 0
    async for _ in steadily(pieces(*[(1, 1)] * 20)):
        await asyncio.sleep(READ_SECONDS)
        count += 1
    assert count == 20


@pytest.mark.parametrize(
    ("status", "seconds"), [(200, 0), (400, 0), (401, 0), (404, 0), (500, 0), (200, READ_SECONDS * 1000)]
)
async def test_a_file_whose_answer_trickles_is_lost_after_a_bounded_time(status: int, seconds: float) -> None:
    pool = pool_of(Transport(status, seconds))
    begin = now()
    with pytest.raises(ExecutionLost):
        [piece async for piece in pool.download(0, "s", "a")]
    assert now() - begin < READ_SECONDS * 5


async def test_a_large_file_has_the_time_that_it_takes_on_its_way() -> None:
    size = LEAST_RATE * 300
    pool = pool_of(Transport(200, 300, httpx.ByteStream(b"")))
    await pool.upload(0, "s", "a", bytes(size))
    with pytest.raises(ExecutionLost, match="never came whole in 120 s"):
        await pool.upload(0, "s", "a", b"")
