"""Who may use which entity: tokens put to `$cbs` become grants for the life of a connection."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import unquote_plus, urlsplit

from worker.local.broker.config import POLICY_NAME

_SAS_PREFIX = "SharedAccessSignature "


class TokenRefusedError(Exception):
    """The token does not prove anything; the text says why."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to use an entity and what is below it, until a time (seconds since 1970). '' is the namespace."""

    path: str
    expires_at: float

    def covers(self, path: str, now: float) -> bool:
        """Whether the entity at `path` may be used."""
        below = not self.path or path == self.path or path.startswith(self.path + "/")
        return below and now < self.expires_at


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """Checks SAS tokens against the key, and bearer tokens against those that are accepted."""

    key: str
    accepted_tokens: frozenset[str]

    def grant(self, token: object, audience: str) -> Grant:
        """Return what the token allows of the audience it was put for.

        Raises:
            TokenRefusedError: wrong key, policy or audience, expired, or not a token.
        """
        if not isinstance(token, str):
            raise TokenRefusedError("a token is text")
        if token.startswith(_SAS_PREFIX):
            return self._grant_sas(token.removeprefix(_SAS_PREFIX), entity_path(audience))
        if not any(hmac.compare_digest(token.encode(), known.encode()) for known in self.accepted_tokens):
            raise TokenRefusedError("the token is not one that this broker accepts")
        return Grant(entity_path(audience), float("inf"))

    def _grant_sas(self, token: str, path: str) -> Grant:
        fields = dict(part.partition("=")[::2] for part in token.split("&"))
        resource, expiry = fields.get("sr", ""), fields.get("se", "")
        signed = hmac.new(self.key.encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
        signature = unquote_plus(fields.get("sig", ""))
        if not hmac.compare_digest(base64.b64encode(signed), signature.encode()):
            raise TokenRefusedError("the signature of the shared access token is wrong")
        if unquote_plus(fields.get("skn", "")) != POLICY_NAME:
            raise TokenRefusedError(f"the only policy is {POLICY_NAME}")
        if not expiry.isdecimal() or int(expiry) <= time.time():
            raise TokenRefusedError("the shared access token has expired")
        grant = Grant(entity_path(unquote_plus(resource)), float(expiry))
        if not grant.covers(path, time.time()):
            raise TokenRefusedError("the shared access token is for another entity")
        return Grant(path, float(expiry))


def entity_path(address: str) -> str:
    """Return the path of an entity from an address with or without scheme and host, in lower case."""
    path = urlsplit(address).path if "://" in address else address
    return path.strip("/").lower()
