"""Who signs in, as its tokens tell, and at which hosts."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from worker.signing_in import BoundedCredential

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

MAX_TOKEN_CHARS = 64 << 10


@dataclass(frozen=True)
class Identity:
    """What a token says of its bearer; None where it says nothing, as tokens that are no JWT.

    Attributes:
        kind: the credential that signed in, as ``ManagedIdentityCredential``.
        object_id: of the user or the service principal.
        tenant: its id.
        application: client id of the application.
        is_user: whether a person signed in, rather than an application.
    """

    kind: str
    object_id: str | None = None
    tenant: str | None = None
    application: str | None = None
    is_user: bool = False

    def __str__(self) -> str:
        parts = (("object", self.object_id), ("tenant", self.tenant), ("client", self.application))
        return ", ".join([self.kind, *(f"{word} {value}" for word, value in parts if value)])


async def sign_in(credential: AsyncTokenCredential, scope: str) -> Identity:
    """Get a token and say whose it is.

    Raises:
        AzureError: there is none.
    """
    token = await credential.get_token(scope)
    inner = credential.inner if isinstance(credential, BoundedCredential) else credential
    used = getattr(inner, "_successful_credential", None) or inner  # of a chain only it knows which
    claims = claims_of(token.token)
    return Identity(
        type(used).__name__,
        _text(claims, "oid"),
        _text(claims, "tid"),
        _text(claims, "appid") or _text(claims, "azp"),
        is_user=claims.get("idtyp") == "user" or "upn" in claims or "unique_name" in claims,
    )


def claims_of(token: str) -> dict[str, Any]:
    """What a JWT says, which is not verified; empty for any other token."""
    parts = token[:MAX_TOKEN_CHARS].split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value.isprintable() else None
