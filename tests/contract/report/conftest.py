"""One Chromium for the tests of a module; a new tab and a report for each test."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from tests import browser
from tests.unit.report.documents import reported

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.browser import Devtools, Page


@dataclasses.dataclass(frozen=True)
class Screen:
    """A tab, and where its reports are written."""

    page: Page
    folder: Path

    async def show(self, *results: dict[str, Any], **more: Any) -> Page:  # noqa: ANN401 - the report's
        """Open a report on these results."""
        file = self.folder / "report.html"
        file.write_text(await reported("html", *results, **more), encoding="utf-8")
        await self.page.open(file.as_uri())
        return self.page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def devtools() -> AsyncIterator[Devtools]:
    async with browser.chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def screen(devtools: Devtools, tmp_path: Path) -> AsyncIterator[Screen]:
    """Whatever a test does with the page: it asks for nothing but itself, and complains of nothing."""
    async with browser.page(devtools) as page:
        yield Screen(page, tmp_path)
        assert page.complaints == []
        assert page.dialogs == []
        assert [address for address in page.requests if not address.startswith(tmp_path.as_uri())] == []
        assert len(page.requests) > 0
