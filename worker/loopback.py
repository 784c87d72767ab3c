"""Whether a request over HTTP comes from this very machine, and on nobody else's behalf."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ON_BEHALF = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def refusal(peer: str | None, host: str, headers: Mapping[str, str]) -> str | None:
    """Why a request is not this machine's own; None when it is.

    Headers are never believed, only held against it: a proxy beside the worker is on loopback too, and
    tells of itself by them; a page in a browser of this machine comes under the name of its own host.

    Args:
        peer: the address at the other end of the connection.
        host: what the request takes the server for, with or without a port.
        headers: of the request, by names in any case.
    """
    if peer is None or not _is_loopback(peer):
        return "asked from another machine"
    if any(name in headers for name in _ON_BEHALF):
        return "asked by a proxy on behalf of another"
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if name.lower() != "localhost" and not _is_loopback(name.strip("[]")):
        return "asked under the name of another host"
    return None


def _is_loopback(address: str) -> bool:
    """127.0.0.0/8 and ::1, also as an IPv6 socket sees the former; an IPv6 address may have a scope."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
