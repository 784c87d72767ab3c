"""Where events may be posted: the rules of webhooks' URLs. Nothing is asked of the network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import idna

from worker.faults import JobRejected

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_URL_CHARS = 2000
MAX_HOST_CHARS = 253
HTTPS_PORT = 443
INVALID, NOT_ALLOWED = "invalid_webhook", "webhook_not_allowed"
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ENDS_IN_A_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$")  # what resolvers take for an address
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^#]*)", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_PATH = re.compile(r"[!-\[\]-~]*")  # visible ASCII but the backslash


@dataclass(frozen=True)
class Target:
    """A URL that keeps the rules.

    Attributes:
        host: a name in ASCII and lower case without a final dot, or an address without brackets.
        port: 1 to 65535.
        path: with the query, as it is to be asked for; begins with a slash.
    """

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the ``host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == HTTPS_PORT else f"{host}:{self.port}"


def check_url(url: str, hosts: Collection[str], field: str = "url") -> None:
    """See to it that a URL keeps the rules and its host is in the allow-list.

    Args:
        url: https, without user and fragment, at most 2,000 characters.
        hosts: names, ``*.name`` for all names under one, or addresses.
        field: where the URL stands, for the error.

    Raises:
        JobRejected: ``invalid_webhook`` or ``webhook_not_allowed``, with the field.
    """
    allowed_target(url, hosts, field)


def allowed_target(url: str, hosts: Collection[str], field: str = "url") -> Target:
    """As ``check_url``; what the URL means."""
    target = target_of(url, field)
    if not any(_matches(target.host, pattern) for pattern in hosts):
        raise JobRejected(NOT_ALLOWED, f"the host {target.host!r} is not in JSWORKER_WEBHOOK_HOSTS", field)
    return target


def target_of(url: str, field: str = "url") -> Target:
    """What a URL of any host means; raises ``JobRejected`` with ``invalid_webhook``."""
    try:
        return _parsed(url)
    except ValueError as error:
        raise JobRejected(INVALID, f"the webhook's URL {error}", field) from None


def normalised_host(host: str) -> str:
    """A name or address in the one form that is compared and connected to.

    Raises:
        ValueError: it is neither.
    """
    try:
        if ":" in host:
            return _ipv6(host.removeprefix("[").removesuffix("]"))
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
        name = name.lower().removesuffix(".")
        if _ENDS_IN_A_NUMBER.search(name):
            return str(IPv4Address(name))
    except (AddressValueError, UnicodeError):
        raise ValueError(f"has no valid host: {host[:MAX_HOST_CHARS]!r}") from None
    if not _NAME.fullmatch(name) or len(name) > MAX_HOST_CHARS:
        raise ValueError(f"has no valid host: {host[:MAX_HOST_CHARS]!r}")
    return name


def host_pattern(pattern: str) -> str:
    """An entry of the allow-list in the form that is compared.

    Raises:
        ValueError: it is no name, no ``*.name`` of at least two labels, and no address.
    """
    under = pattern.removeprefix("*.")
    host = normalised_host(under)
    if under == pattern:
        return host
    if "." not in host or _is_address(host):
        raise ValueError(f"{pattern!r} would allow too much, or nothing: write '*.example.com'")
    return f"*.{host}"


def _parsed(url: str) -> Target:
    if len(url) > MAX_URL_CHARS:
        raise ValueError(f"is longer than {MAX_URL_CHARS:,} characters")
    parts = _URL.fullmatch(url)
    if not parts or parts["scheme"].lower() != "https":
        raise ValueError("has a fragment" if "#" in url else "is not of the form https://host/path")
    if "@" in parts["authority"]:
        raise ValueError("must not name a user or password")
    if not _PATH.fullmatch(parts["path"]):
        raise ValueError("has characters in its path that must be percent-encoded")
    host, port = _host_and_port(parts["authority"])
    slash = "" if parts["path"].startswith("/") else "/"
    return Target(host, port, slash + parts["path"])


def _host_and_port(authority: str) -> tuple[str, int]:
    parts = _AUTHORITY.fullmatch(authority)
    if not parts:
        raise ValueError("has no valid host and port")
    port = int(parts["port"] or HTTPS_PORT)
    if not 1 <= port <= 65535:  # noqa: PLR2004 - the range of ports
        raise ValueError("has a port that is not between 1 and 65535")
    return normalised_host(parts["host"]), port


def _matches(host: str, pattern: str) -> bool:
    pattern = host_pattern(pattern)
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern


def _ipv6(text: str) -> str:
    if "%" in text:
        raise AddressValueError("a zone means something on one machine only")
    return str(IPv6Address(text))


def _is_address(host: str) -> bool:
    return ":" in host or bool(_ENDS_IN_A_NUMBER.search(host))
