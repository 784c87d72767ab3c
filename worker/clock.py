"""The clock that deadlines go by."""

from __future__ import annotations

import asyncio


def now() -> float:
    """Seconds on the event loop's clock: monotonic, and virtual where a test wants hours in milliseconds."""
    return asyncio.get_running_loop().time()
