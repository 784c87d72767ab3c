"""The worker that ``jsworker top`` looks at, again and again, and what is around it."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

from worker.cli.looking import Look, ask
from worker.cli.running import Failure
from worker.cli.surroundings import open_configured, open_local
from worker.setting_groups import PREFIX
from worker.status import Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from worker.cli.surroundings import Surroundings

DEFAULT_PORT = "8080"


@dataclass(frozen=True)
class Target:
    """Which worker is looked at: the one of a URL, of the local stack of a directory, or of this machine."""

    url: str | None
    state: Path | None

    def address(self) -> str:
        """Where to ask now: workers of the local stack come and go."""
        if self.url:
            return self.url
        found = _ports(self.state) if self.state else []
        port = found[0] if found else os.environ.get(f"{PREFIX}HEALTH_PORT") or DEFAULT_PORT
        return f"http://127.0.0.1:{port}"


class Watch:
    """Looks at a worker, which may be away for a while, and at what is around it.

    Attributes:
        around: queues and pool; None when nothing is known of them.
    """

    def __init__(self, target: Target, client: httpx.AsyncClient, around: Surroundings | None) -> None:
        self._target, self._client, self.around = target, client, around

    async def document(self) -> dict[str, Any]:
        """The worker's document as it is; with the local stack a part of what is told, which may be missing.

        Raises:
            Failure: there is no worker.
        """
        if not self._target.state or not self.around:
            return await ask(self._client, self._target.address())
        try:
            worker = await ask(self._client, self._target.address())
        except Failure:
            worker = None
        return {"worker": worker, **asdict(await self.around.look())}

    async def first(self) -> Look:
        """A look at the worker.

        Raises:
            Failure: there is none, nor a local stack.
        """
        look = await self.worker(Look())
        if look.trouble and not self._target.state:
            raise Failure(look.trouble)
        return look

    async def surrounded(self, look: Look) -> Look:
        """A look with what is around the worker now."""
        return replace(look, stack=await self.around.look()) if self.around else look

    async def worker(self, last: Look) -> Look:
        """The last look with a newer status, or with why there is none."""
        try:
            document = await ask(self._client, self._target.address())
        except Failure as failure:
            lost_at = last.lost_at or (datetime.now().astimezone() if last.status else None)
            return replace(last, trouble=failure.message, lost_at=lost_at)
        return replace(last, status=Status.model_validate(document), trouble=None, lost_at=None)


def _ports(state: Path) -> list[int]:
    from worker.local.workers import ports  # noqa: PLC0415 - may not be there

    return ports(state)


@asynccontextmanager
async def open_watch(target: Target) -> AsyncIterator[Watch]:
    """What is asked: the worker, by no proxy, and what is around it.

    Raises:
        Failure: no local stack is running where one was named.
    """
    async with AsyncExitStack() as stack:
        opened = open_local(target.state) if target.state else open_configured(os.environ)
        around = await stack.enter_async_context(opened)
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        yield Watch(target, client, around)
