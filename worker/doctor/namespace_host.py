"""The check of the way to the Service Bus namespace: its name, port, certificate, and that AMQP is spoken."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from worker.doctor.check import Check
from worker.doctor.finding import Finding
from worker.doctor.hosts import connected
from worker.doctor.namespace import TLS_PORT, namespace_of
from worker.faults import ConfigurationFault

if TYPE_CHECKING:
    from worker.doctor.context import Context
    from worker.doctor.namespace import Namespace

SASL_HEADER = b"AMQP\x03\x01\x00\x00"
ANSWER_SECONDS = 5.0
HTTPS_PORT = 443


async def namespace_host(context: Context) -> list[Finding]:
    """Connect to the namespace as the SDK does, and exchange the first eight bytes of AMQP."""
    namespace = namespace_of(context.settings)
    trusted = None if namespace.is_emulator else ssl.create_default_context()
    seconds = await reached(namespace, trusted)
    facts = {"host": namespace.host, "port": namespace.port, "connect_seconds": round(seconds, 3)}
    message = f"{namespace.host} answers on port {namespace.port}, in {seconds * 1000:.0f} ms"
    return [Finding("namespace-host", "service-bus", "ok", message, facts=facts)]


async def reached(namespace: Namespace, trusted: ssl.SSLContext | None, https: int = HTTPS_PORT) -> float:
    """The seconds that it takes to connect.

    Raises:
        ConfigurationFault: it does not work; what to do about it.
    """
    try:
        seconds = await connected(namespace.host, namespace.port, trusted)
    except ConfigurationFault as fault:
        if (
            isinstance(fault.__cause__, ssl.SSLError)
            or not trusted
            or not await _opens(namespace.host, https)
        ):
            raise
        raise ConfigurationFault(
            f"port {namespace.port} of {namespace.host} is blocked, though port {https} is open",
            f"Let outbound TCP {namespace.port} through to the service tag ServiceBus, in the firewall or "
            "network security group that stands before it: the worker's AMQP does not go by way of HTTPS",
        ) from fault
    await _greeted(namespace, trusted)
    return seconds


async def _opens(host: str, port: int) -> bool:
    with suppress(OSError):
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return True
    return False


async def _greeted(namespace: Namespace, trusted: ssl.SSLContext | None) -> None:
    answer = b""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(namespace.host, namespace.port, ssl=trusted)
            try:
                writer.write(SASL_HEADER)
                answer = await reader.readexactly(len(SASL_HEADER))
            finally:
                writer.close()
    except (OSError, EOFError) as error:
        raise _not_amqp(namespace, type(error).__name__) from error
    if answer != SASL_HEADER:
        raise _not_amqp(namespace, "another protocol")


def _not_amqp(namespace: Namespace, what: str) -> ConfigurationFault:
    return ConfigurationFault(
        f"what listens at {namespace.host}:{namespace.port} does not answer as Service Bus ({what})",
        f"Correct the name of the namespace; Service Bus speaks AMQP on port {TLS_PORT}, so look, too, for a "
        "proxy in between that ends the connection",
    )


CHECKS = (Check(namespace_host, "service-bus", seconds=40),)
