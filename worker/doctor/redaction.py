"""What may be sent in: answers of a pool without the names, ids and secrets that they may carry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_GUID = r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}"
_RULES = (
    (re.compile(r"eyJ[\w-]+(?:\.[\w-]+)*"), "TOKEN"),
    (re.compile(r"(?:jsw|doctor)-[0-9A-Za-z-]+"), "SESSION"),
    (re.compile(r"(subscriptions|resourceGroups|sessionPools)/[^/?\s\"'&]+", re.IGNORECASE), r"\1/NAME"),
    (re.compile(rf"(?<![0-9a-f]){_GUID}(?![0-9a-f])", re.IGNORECASE), "GUID"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "ADDRESS"),
)
_HOST = re.compile(r"https?://[^/\s\"']+")
_PUBLIC = ".dynamicsessions.io"


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with placeholders for secrets, identifiers, subscriptions, names, ids and hosts.

    The name of a region stays, where it is all that a host has of its own.
    """
    for secret in secrets:
        text = text.replace(secret, "SECRET") if secret else text
    text = _HOST.sub(_host, text)
    for pattern, placeholder in _RULES:
        text = pattern.sub(placeholder, text)
    return text


def _host(found: re.Match[str]) -> str:
    host = urlsplit(found[0]).hostname or ""
    is_region = host.endswith(_PUBLIC) and "." not in host.removesuffix(_PUBLIC)
    return f"https://{host}" if is_region else "https://HOST"
