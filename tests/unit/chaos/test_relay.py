"""A relay passes everything on until it is told not to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from tests.chaos.executions import Journal
from tests.chaos.relay import Relay

HELLO = b"GET / HTTP/1.1\r\n\r\n"
REQUEST = b"POST /pool/executions?identifier=x HTTP/1.1\r\nContent-Length: 14\r\n\r\nmark-s0001-end"
ANSWER = b"HTTP/1.1 200 OK\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def relayed(journal: Journal | None = None) -> AsyncIterator[tuple[Relay, Streams, Streams]]:
    """A relay, the client's streams and the service's, on a connection that was used once."""
    accepted: asyncio.Queue[Streams] = asyncio.Queue()
    server = await asyncio.start_server(lambda *streams: accepted.put_nowait(streams), "127.0.0.1", 0)
    relay = Relay(Random(0), journal.watch if journal else None)  # noqa: S311 - no secret depends on it
    relay.target = server.sockets[0].getsockname()[1]
    await relay.start()
    client = await asyncio.open_connection("127.0.0.1", relay.port)
    client[1].write(HELLO)
    service = await accepted.get()
    assert await service[0].readexactly(len(HELLO)) == HELLO
    try:
        yield relay, client, service
    finally:
        relay.close()
        for _, writer in (client, service):
            writer.transport.abort()
        server.close()
        await asyncio.sleep(0)  # lets the transports close


async def test_bytes_go_both_ways() -> None:
    async with relayed() as (_, client, service):
        service[1].write(b"answer")
        assert await client[0].readexactly(6) == b"answer"


async def test_connections_that_are_cut_end_on_both_sides() -> None:
    async with relayed() as (relay, client, service):
        relay.cut(1.0)
        with pytest.raises(ConnectionResetError):
            await client[0].read()
        with pytest.raises(ConnectionResetError):
            await service[0].read()
    assert relay.injected["cut"] == 1


async def test_an_answer_is_lost_after_the_service_has_sent_it() -> None:
    async with relayed() as (relay, client, service):
        relay.lose_rate = 1.0
        service[1].write(b"answer")
        with pytest.raises(ConnectionResetError):
            await client[0].read()
    assert relay.injected["lost"] == 1


async def test_a_frozen_connection_stays_open_and_says_what_it_has_when_it_is_thawed() -> None:
    async with relayed() as (relay, client, service):
        relay.freeze(frozen=True)
        service[1].write(b"answer")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client[0].readexactly(1), 0.1)
        relay.freeze(frozen=False)
        assert await client[0].readexactly(6) == b"answer"


async def test_the_end_of_an_execution_is_noted_though_its_client_is_gone() -> None:
    journal = Journal()
    async with relayed(journal) as (_, client, service):
        client[1].write(REQUEST)
        assert await service[0].readexactly(len(REQUEST)) == REQUEST
        client[1].transport.abort()
        service[1].write(ANSWER)
        with pytest.raises(ConnectionResetError):
            await service[0].read()
    (execution,) = journal.all()
    assert execution.status == 200
