"""Calls to a session pool's data plane, and the requests that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_SECONDS = 15.0
READ_SECONDS = 60.0


@dataclass(frozen=True)
class PoolCall:
    """A request; ``content`` makes the body, wrapped in ``properties`` or not."""

    operation: str
    permit: int
    method: str
    url: str
    content: Callable[[bool], bytes] | None = None
    files: dict[str, Any] | None = None
    timeout: float = READ_SECONDS


def request_of(method: str, url: str, headers: dict[str, str], timeout: float, **body: Any) -> httpx.Request:  # noqa: ANN401 - httpx's
    """A request with bounds on each part of it; ``timeout`` is that of the answer, in seconds."""
    bounds = {"connect": CONNECT_SECONDS, "read": timeout, "write": timeout, "pool": timeout}
    return httpx.Request(method, url, headers=headers, extensions={"timeout": bounds}, **body)
