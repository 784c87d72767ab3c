"""What checks are given: the settings, the credential, and where they leave what is to be undone."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.app import credential_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core.credentials_async import AsyncTokenCredential

    from worker.settings import WorkerSettings


@dataclass(frozen=True)
class Context:
    """What a check may use. A check opens the clients that it needs, with few retries, and closes them.

    Attributes:
        settings: those of the worker; that they can be used is known before any other check is made.
        credential: signs in with Entra; None when each service has a key.
        undoing: what is still to be undone when the examination ends, however it ends: a check that makes
            something pushes its removal here before it makes it, and may do it earlier itself.
    """

    settings: WorkerSettings
    credential: AsyncTokenCredential | None
    undoing: AsyncExitStack


@asynccontextmanager
async def open_context(settings: WorkerSettings) -> AsyncIterator[Context]:
    """A context; at its end all is undone that checks left to be, the last first."""
    async with AsyncExitStack() as stack:
        credential = await credential_for(settings, stack)
        undoing = await stack.enter_async_context(AsyncExitStack())
        yield Context(settings, credential, undoing)
