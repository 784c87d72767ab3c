"""W3C trace context, as it comes with messages and leaves with results and events.

Source: https://www.w3.org/TR/trace-context/. What is not well-formed counts for nothing, as it asks for.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from worker.model import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(r"[ -~]{1,512}")
_NAMES = ("traceparent", "Diagnostic-Id")  # the second is what the Azure SDKs write


class Trace(Model):
    """Whose part of which trace something is."""

    traceparent: Annotated[str, Field(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]
    tracestate: Annotated[str, Field(max_length=512)] | None = None

    def child(self, name: str) -> Trace:
        """The part of the same trace that a name stands for; the same name makes the same part."""
        _, trace_id, parent_id, flags = self.traceparent.split("-")
        span_id = hashlib.sha256(f"{trace_id}/{parent_id}/{name}".encode()).hexdigest()[:16]
        return Trace(traceparent=f"00-{trace_id}-{span_id}-{flags}", tracestate=self.tracestate)

    def fields(self) -> dict[str, str]:
        """As properties of a message, or attributes of an event."""
        return self.model_dump(exclude_none=True)


def trace_of(properties: Mapping[str, str]) -> Trace | None:
    """The trace that a message's properties, or an event's attributes, tell of; None if none."""
    found = next((match for name in _NAMES if (match := _well_formed(properties.get(name)))), None)
    if found is None:
        return None
    state = properties.get("tracestate", "")
    return Trace(
        traceparent=f"00-{found[2]}-{found[3]}-{found[4]}",
        tracestate=state if _STATE.fullmatch(state) else None,
    )


def own_trace(properties: Mapping[str, str], batch: str, job_id: str) -> Trace | None:
    """A job's own part of the trace that its message tells of: the same for each delivery and copy."""
    of_sender = trace_of(properties)
    return of_sender.child(f"{batch}/{job_id}") if of_sender else None


def _well_formed(value: str | None) -> re.Match[str] | None:
    """A version above 00 may have more fields, which are not read; ids of zeros are none."""
    match = _PARENT.fullmatch(value) if isinstance(value, str) else None
    if match is None or not int(match[2], 16) or not int(match[3], 16):
        return None
    return None if match[1] == "00" and match[5] else match
