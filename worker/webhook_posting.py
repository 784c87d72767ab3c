"""Adapter for posting to hosts that are allowed but not trusted.

The host's name is resolved here, every address it has is judged, and the connection goes to just the
addresses that were judged, so that a name server which answers differently a moment later gains nothing.
TLS still names the host and checks the certificate against it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx

from worker.faults import InfrastructureFault, JobRejected
from worker.version import __version__
from worker.webhook_addresses import is_allowed
from worker.webhook_url import NOT_ALLOWED
from worker.webhooks import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from worker.setting_groups import WebhookSettings
    from worker.webhook_url import Target

    Resolve = Callable[[str, int], Awaitable[list[str]]]

MOST_ADDRESSES_TRIED = 4
MAX_ANSWER_BYTES = 4096
MAX_ANSWER_CHARS = 300
ANSWER_SECONDS = 3.0  # for the text after the status, which is all that counts
_CONTENT_TYPE = "application/cloudevents+json"


async def resolved(host: str, port: int) -> list[str]:
    """The addresses of a host by the system's resolver, best first; raises ``OSError``."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class HttpPoster:
    """Posts over a connection of its own each time: no proxies, cookies, redirects or kept connections.

    Args:
        settings: private networks and authorities that are trusted besides, and the time a post may take.
        resolve: gives the addresses of a host.
    """

    def __init__(self, settings: WebhookSettings, resolve: Resolve = resolved) -> None:
        self._networks, self._seconds = settings.webhook_private_networks, settings.webhook_timeout_seconds
        self._resolve = resolve
        self._context = ssl.create_default_context()
        if settings.webhook_ca_file:
            self._context.load_verify_locations(settings.webhook_ca_file)

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post an event; the status counts, whatever becomes of the text after it.

        Raises:
            JobRejected: ``webhook_not_allowed``, an address of the host is not public.
            InfrastructureFault: no answer came.
        """
        transport = httpx.AsyncHTTPTransport(
            verify=self._context, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        async with transport:
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await self._answer(transport, target, headers, body)
            except TimeoutError:
                raise InfrastructureFault(f"no answer within {self._seconds:g} s") from None
            except (httpx.HTTPError, OSError) as error:
                raise InfrastructureFault(f"the receiver is out of reach: {_words(error)}") from error
            return Answer(answer.status_code, answer.headers.get("retry-after"), await _text(answer))

    async def _answer(
        self, transport: httpx.AsyncHTTPTransport, target: Target, headers: Mapping[str, str], body: bytes
    ) -> httpx.Response:
        """From the first address that a connection can be made to."""
        addresses = (await self._addresses(target))[:MOST_ADDRESSES_TRIED]
        for address in addresses[:-1]:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await transport.handle_async_request(self._request(target, address, headers, body))
        return await transport.handle_async_request(self._request(target, addresses[-1], headers, body))

    async def _addresses(self, target: Target) -> list[str]:
        addresses = await self._resolve(target.host, target.port)
        if not addresses:
            raise InfrastructureFault(f"the host {target.host!r} has no address")
        for address in addresses:
            if not is_allowed(address, self._networks):
                raise JobRejected(
                    NOT_ALLOWED, f"the host {target.host!r} has the address {address}, which is not public"
                )
        return addresses

    def _request(
        self, target: Target, address: str, headers: Mapping[str, str], body: bytes
    ) -> httpx.Request:
        seconds = self._seconds
        timeouts = {"connect": seconds / 3, "read": seconds, "write": seconds, "pool": seconds}
        extensions: dict[str, Any] = {
            "timeout": timeouts, "sni_hostname": target.host, "target": target.path.encode()
        }  # fmt: skip
        own = {
            "host": target.authority,
            "content-type": _CONTENT_TYPE,
            "user-agent": f"jsworker/{__version__}",
        }
        url = httpx.URL(scheme="https", host=address, port=target.port)
        return httpx.Request("POST", url, headers={**own, **headers}, content=body, extensions=extensions)


async def _text(answer: httpx.Response) -> str:
    """The beginning of what a receiver says about a failure, on one line; as much of it as comes."""
    data = b""
    if not answer.is_success:
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                async for chunk in answer.aiter_raw():
                    data += chunk
                    if len(data) >= MAX_ANSWER_BYTES:
                        break
    await answer.aclose()
    text = " ".join(data[:MAX_ANSWER_BYTES].decode("utf-8", "replace").split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:MAX_ANSWER_CHARS]


def _words(error: Exception) -> str:
    """What went wrong; an error without words has its name."""
    return f"{type(error).__name__} {error}".strip()[:MAX_ANSWER_CHARS]
