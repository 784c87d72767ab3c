"""Which addresses events may be posted to: public ones, and those of networks that the settings name."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_FOR_STRANGERS = (
    IPv4Network("168.63.129.16/32"),  # Azure's own services, reached from within its machines only
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv6Network("2001::/23"),
    IPv6Network("3fff::/20"),
)


def is_allowed(address: str, networks: Collection[Network] = ()) -> bool:
    """Whether an address is public, or in one of the networks that are allowed though they are not.

    An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4) is judged by what it carries.

    Raises:
        ValueError: it is no address.
    """
    reached = _reached(ip_address(address))
    return any(reached in network for network in networks) or _is_public(reached)


def _reached(address: Address) -> Address:
    """The address at which a packet to this one ends up."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    """Narrower than ``is_global``, whose tables differ between versions of Python."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    is_special = any(address in network for network in _NOT_FOR_STRANGERS)
    return address.is_global and not address.is_multicast and not address.is_reserved and not is_special
