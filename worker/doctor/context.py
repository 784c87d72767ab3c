"""What checks are given: the settings, the credential, and where they leave what is to be undone."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.tools import credential_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core.credentials_async import AsyncTokenCredential

    from worker.settings import WorkerSettings


@dataclass(frozen=True)
class Lines:
    """Where the doctor draws the line between well and not.

    Attributes:
        allocation_seconds: a new session that takes longer is slow; 2 to 4 s are usual.
        release_seconds: a deleted session that is still listed after this is slow to go.
        skew_seconds: a clock that is further off is wrong; ``Date`` headers are exact to a second.
        skew_failure_seconds: a clock that is further off is refused: tokens and signatures are not valid.
        outside: hosts and ports that no program in a session should get through to.
    """

    allocation_seconds: float = 10.0
    release_seconds: float = 10.0
    skew_seconds: float = 5.0
    skew_failure_seconds: float = 240.0
    outside: tuple[tuple[str, int], ...] = (("1.1.1.1", 443), ("www.microsoft.com", 443))


@dataclass(frozen=True)
class Context:
    """What a check may use. A check opens the clients that it needs, with few retries, and closes them.

    Attributes:
        settings: those of the worker; that they can be used is known before any other check is made.
        credential: signs in with Entra; None when each service has a key.
        undoing: what is still to be undone when the examination ends, however it ends: a check that makes
            something pushes its removal here before it makes it, and may do it earlier itself.
        lines: what is still well.
    """

    settings: WorkerSettings
    credential: AsyncTokenCredential | None
    undoing: AsyncExitStack
    lines: Lines = field(default_factory=Lines)


@asynccontextmanager
async def open_context(settings: WorkerSettings, lines: Lines | None = None) -> AsyncIterator[Context]:
    """A context; at its end all is undone that checks left to be, the last first."""
    async with AsyncExitStack() as stack:
        credential = await credential_for(settings, stack)
        undoing = await stack.enter_async_context(AsyncExitStack())
        yield Context(settings, credential, undoing, lines or Lines())
