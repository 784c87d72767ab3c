"""Signatures of the Standard Webhooks scheme, version 1: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "whsec_"
MIN_KEY_BYTES, MAX_KEY_BYTES = 24, 64  # by the scheme


def keys_of(secrets: str) -> tuple[bytes, ...]:
    """The keys of ``whsec_<base64>``, several of them separated by spaces.

    Raises:
        ValueError: one cannot be used; the message does not have it.
    """
    keys = tuple(_key(number, secret) for number, secret in enumerate(secrets.split(), 1))
    if not keys:
        raise ValueError("has no secret")
    return keys


def signature_headers(
    keys: Iterable[bytes], event_id: str, timestamp_seconds: int, body: bytes
) -> dict[str, str]:
    """The three headers of the scheme; a signature by each key, so that receivers may change theirs."""
    signed = f"{event_id}.{timestamp_seconds}.".encode() + body
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": " ".join(_signature(key, signed) for key in keys),
    }


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _key(number: int, secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        raise ValueError(f"secret {number} does not begin with {PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"secret {number} is not base64 after {PREFIX}") from None
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"secret {number} is not of {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes")
    return key
