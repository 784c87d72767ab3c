"""Checks of the way to a host: its name, its port, its certificate, and the proxy in between."""

from __future__ import annotations

import asyncio
import socket
import ssl
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from worker.doctor.check import Check
from worker.doctor.finding import Finding
from worker.doctor.identity import is_loopback
from worker.doctor.pool_address import pool_address
from worker.doctor.storage_account import account_url
from worker.faults import ConfigurationFault

if TYPE_CHECKING:
    from worker.doctor.context import Context
    from worker.doctor.finding import Part

PORTS = {"https": 443, "http": 80}
CONNECT_SECONDS = 10.0
EXPIRED, WRONG_NAME = (
    10,
    frozenset({62, 64}),
)  # X509_V_ERR_CERT_HAS_EXPIRED; …HOSTNAME_…, …IP_ADDRESS_MISMATCH


async def storage_host(context: Context) -> list[Finding]:
    """Connect to the storage account."""
    url = account_url(context.settings)
    return [await _reached("storage-host", "storage", url, ssl.create_default_context())]


async def pool_host(context: Context) -> list[Finding]:
    """Connect to the session pool, whose client has authorities of its own."""
    endpoint = context.settings.pool_endpoint
    return [await _reached("pool-host", "pool", endpoint, httpx.create_ssl_context())]


async def _reached(check: str, part: Part, url: str, trusted: ssl.SSLContext) -> Finding:
    split = urlsplit(url)
    host, is_secure = split.hostname or "", split.scheme == "https"
    facts = {"host": host, "port": split.port or PORTS[split.scheme]}
    if (proxy := getproxies().get(split.scheme)) and not proxy_bypass(host):
        through = urlsplit(proxy).hostname
        return Finding(check, part, "info", f"{host} is reached by way of the proxy {through}", facts=facts)
    seconds = await connected(host, split.port or PORTS[split.scheme], trusted if is_secure else None)
    facts |= {"connect_seconds": round(seconds, 3)}
    if not is_secure and not is_loopback(url):
        message = f"{host} is spoken to without encryption: tokens and code can be read on the way"
        return Finding(check, part, "warning", message, f"Use https://{host}", facts)
    return Finding(check, part, "ok", f"{host} answers, in {seconds * 1000:.0f} ms", facts=facts)


async def connected(host: str, port: int, trusted: ssl.SSLContext | None) -> float:
    """The seconds that it takes to connect.

    Raises:
        ConfigurationFault: it does not work; what to do about it.
    """
    clock = asyncio.get_running_loop().time
    begin = clock()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=trusted)
    except socket.gaierror as error:
        raise ConfigurationFault(
            f"the name {host} does not resolve ({error.strerror})",
            f"Correct the address; if it is right, look at the network's DNS: getent hosts {quote(host)}",
        ) from error
    except UnicodeError as error:  # asyncio's word for a label that is too long
        raise ConfigurationFault(f"no host can have the name {host}", "Correct the address") from error
    except ssl.SSLCertVerificationError as error:
        raise _untrusted(host, port, error) from error
    except TimeoutError as error:
        raise ConfigurationFault(
            f"no connection to {host}:{port} within {CONNECT_SECONDS:g} s",
            "Let the firewall or network security group between this machine and it through",
        ) from error
    except OSError as error:
        raise ConfigurationFault(
            f"no connection to {host}:{port} ({error.strerror or error})",
            "Correct the address; if it is right, see whether the service runs, and the firewall in between",
        ) from error
    taken = clock() - begin
    writer.close()
    return taken


def _untrusted(host: str, port: int, error: ssl.SSLCertVerificationError) -> ConfigurationFault:
    look = (
        f"openssl s_client -connect {quote(f'{host}:{port}')} -servername {quote(host)} </dev/null "
        "| openssl x509 -noout -text"
    )
    if error.verify_code == EXPIRED:
        return ConfigurationFault(
            f"the certificate of {host} has expired",
            f"Set this machine's clock right, or have the certificate renewed; it is shown by: {look}",
        )
    if error.verify_code in WRONG_NAME:
        return ConfigurationFault(
            f"the certificate is not for {host} ({error.verify_message})",
            f"Use the name that the service gives itself; the certificate is shown by: {look}",
        )
    return ConfigurationFault(
        f"the certificate of {host} is not trusted ({error.verify_message})",
        f"If a proxy puts its own in the place, export SSL_CERT_FILE=FILE with its authority; who signed is "
        f"shown by: {look}",
    )


CHECKS_OF_STORAGE = (Check(storage_host, "storage"),)
CHECKS_OF_POOL = (Check(pool_host, "pool", needs=(pool_address,)),)
