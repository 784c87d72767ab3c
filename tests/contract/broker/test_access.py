"""Who gets in, and what becomes of peers that do not speak the protocol."""

import asyncio
import time
from typing import Any, Self

import pytest
from azure.core.credentials import AccessToken
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.aio._base_handler_async import ServiceBusSharedKeyCredential
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusError,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.local.broker import Broker, encode, frames
from worker.local.broker.codec import Described


class Credential:
    """An Entra credential whose tokens are all the same."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:  # noqa: ANN401 - as azure-core has it
        return AccessToken(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return


async def send_with(client: ServiceBusClient, queue: str) -> None:
    async with client, client.get_queue_sender(queue) as sender:
        await sender.send_messages(ServiceBusMessage("hello"))


async def test_an_unknown_queue_is_not_found(broker: Broker) -> None:
    client = ServiceBusClient.from_connection_string(broker.connection_string)
    with pytest.raises(MessagingEntityNotFoundError):
        await send_with(client, "nowhere")


async def test_a_wrong_key_is_refused(broker: Broker) -> None:
    wrong = broker.connection_string.replace("SharedAccessKey=", "SharedAccessKey=x")
    client = ServiceBusClient.from_connection_string(wrong, retry_total=0)
    with pytest.raises(ServiceBusAuthenticationError):
        await send_with(client, "jobs-0")


async def test_an_accepted_bearer_token_opens_the_queue(broker: Broker) -> None:
    host = f"127.0.0.1:{broker.port}"
    await send_with(ServiceBusClient(host, Credential("a.known.jwt"), use_tls=False), "jobs-0")
    with pytest.raises(ServiceBusAuthenticationError):
        await send_with(
            ServiceBusClient(host, Credential("a.false.jwt"), use_tls=False, retry_total=0), "jobs-0"
        )


async def test_a_shared_access_signature_opens_its_own_queue_only(broker: Broker) -> None:
    host = f"127.0.0.1:{broker.port}"
    key = broker.connection_string.split("SharedAccessKey=")[1].split(";")[0]
    credential = ServiceBusSharedKeyCredential("RootManageSharedAccessKey", key)
    token = (await credential.get_token(f"sb://{host}/jobs-0")).token
    text = f"Endpoint=sb://{host};SharedAccessSignature={token};UseDevelopmentEmulator=true"
    await send_with(ServiceBusClient.from_connection_string(text), "jobs-0")
    with pytest.raises(ServiceBusError):
        await send_with(ServiceBusClient.from_connection_string(text, retry_total=0), "small-0")


async def pass_through_topic(client: ServiceBusClient) -> str:
    async with client:
        async with client.get_topic_sender("news") as sender:
            await sender.send_messages(ServiceBusMessage("hello"))
        async with client.get_subscription_receiver("news", "all") as receiver:
            return str((await receiver.receive_messages(1, max_wait_time=5))[0])


async def test_tokens_open_topics_and_subscriptions(broker: Broker) -> None:
    host = f"127.0.0.1:{broker.port}"
    bearer = ServiceBusClient(host, Credential("a.known.jwt"), use_tls=False, retry_total=0)
    signed = ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)
    assert await pass_through_topic(bearer) == await pass_through_topic(signed) == "hello"


class RawPeer:
    """Speaks frames to the broker without the SDK's help."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read_frame(self) -> frames.Frame | None:
        size = int.from_bytes(head := await self.reader.readexactly(4), "big")
        data = head + await self.reader.readexactly(size - 4)
        return frames.read_frame(data, data[5])[1]

    async def handshake(self) -> None:
        init = frames.sasl_frame(frames.SASL_INIT, [encode.symbol("ANONYMOUS")])
        self.writer.write(frames.SASL_HEADER + init + frames.AMQP_HEADER)
        await self.reader.readexactly(8)
        await self.read_frame()
        await self.read_frame()
        await self.reader.readexactly(8)

    async def begin(self) -> None:
        window = encode.uint(100)
        opening = frames.frame(0, frames.OPEN, [encode.string("raw")])
        beginning = frames.frame(1, frames.BEGIN, [encode.NULL, encode.uint(0), window, window])
        self.writer.write(opening + beginning)
        await self.read_frame()
        await self.read_frame()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def connect(broker: Broker) -> RawPeer:
    return RawPeer(*await asyncio.open_connection("127.0.0.1", broker.port))


async def test_a_link_without_a_token_is_refused(broker: Broker) -> None:
    peer = await connect(broker)
    await peer.handshake()
    await peer.begin()
    source, target = (frames.terminus(code, "jobs-0") for code in (frames.SOURCE, frames.TARGET))
    modes = [encode.ubyte(0), encode.ubyte(0)]
    attach = [encode.string("link"), encode.uint(1), encode.TRUE, *modes, source, target]
    peer.writer.write(frames.frame(1, frames.ATTACH, attach))
    attached, detached = await peer.read_frame(), await peer.read_frame()
    await peer.close()
    assert attached is not None
    assert detached is not None
    assert attached.fields[5:7] == [None, None]
    assert isinstance(detached.fields[2], Described)
    assert isinstance(detached.fields[2].value, list)
    assert detached.fields[2].value[0] == "amqp:unauthorized-access"


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\xff\x02\x00\x00\x00",
        b"\x00\x00\x00\x04\x02\x00\x00\x00",
        b"\x00\x00\x00\x09\x02\x00\x00\x00\x00",
        b"\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x13\xc0",
        frames.frame(1, frames.TRANSFER, [encode.uint(7)]),
        frames.frame(1, frames.ATTACH, [encode.uint(1)]),
        frames.frame(1, frames.FLOW, [encode.string("x")]),
        frames.frame(1, 0x30, []),
    ],
)
async def test_a_malformed_frame_closes_its_connection_with_an_error(broker: Broker, frame: bytes) -> None:
    peer = await connect(broker)
    await peer.handshake()
    await peer.begin()
    peer.writer.write(frame)
    closed = await asyncio.wait_for(peer.read_frame(), 5)
    assert closed is not None
    assert closed.code == frames.CLOSE
    assert isinstance(closed.fields[0], Described)
    assert await peer.reader.read() == b""
    await peer.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    performatives=st.lists(
        st.tuples(
            st.sampled_from([0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17]),
            st.lists(
                st.one_of(
                    st.sampled_from([encode.NULL, encode.TRUE, encode.FALSE, encode.EMPTY_LIST]),
                    st.integers(0, 2**32 - 1).map(encode.uint),
                    st.integers(0, 3).map(encode.uint),
                    st.sampled_from(["$cbs", "jobs-0"]).map(lambda name: frames.terminus(0x28, name)),
                    st.text(max_size=5).map(encode.string),
                    st.binary(max_size=5).map(encode.binary),
                    st.just(frames.outcome(frames.ACCEPTED)),
                ),
                max_size=12,
            ),
            st.binary(max_size=40),
        ),
        max_size=6,
    )
)
async def test_no_sequence_of_performatives_stops_the_broker(
    broker: Broker, performatives: list[tuple[int, list[bytes], bytes]]
) -> None:
    peer = await connect(broker)
    await peer.handshake()
    await peer.begin()
    for code, fields, payload in performatives:
        peer.writer.write(frames.frame(1, code, fields, payload))
    peer.writer.write_eof()
    await asyncio.wait_for(peer.reader.read(), 5)
    await peer.close()
    again = await connect(broker)
    await again.handshake()
    await again.close()
