"""The documentation site as it is built: complete, by itself, and of the code that is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import browser
from worker.cli.schema import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
LOADED = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"']?((?:[a-z]+:)?//[^\"'\s>]+)"
)

TOLD = re.compile(r"(<|&lt;)!-- (run|not run|file|no block)\b")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = ["mkdocs", "build", "--strict", "--quiet", "--config-file", "deploy/site/mkdocs.yml"]
    built = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", *command, "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, "")
    return folder


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_no_page_loads_anything_from_elsewhere_or_shows_what_is_said_to_the_tests(site: Path) -> None:
    pages = {page.name: page.read_text("utf-8") for page in site.rglob("*.html")}
    assert len(pages) > len(list(ROOT.glob("docs/*.md")))
    assert {name: found for name, text in pages.items() if (found := LOADED.findall(text))} == {}
    assert [name for name, text in pages.items() if TOLD.search(text)] == []


def test_the_reference_has_every_command_and_every_document(site: Path) -> None:
    commands = (site / "reference" / "commands.html").read_text("utf-8")
    assert 'id="local-up"' in commands
    assert "--max-sessions INTEGER RANGE" in commands
    for name in SCHEMAS:
        assert "required" in (site / "reference" / f"{name}.html").read_text("utf-8")


async def test_in_a_browser_search_finds_a_page_and_nothing_is_asked_of_other_hosts(address: str) -> None:
    async with browser.chromium() as devtools, browser.page(devtools) as page:
        await page.open(f"{address}index.html?q=nightly-report")
        found = await page.run(
            "new Promise(done => { const look = () => {"
            " const links = document.querySelectorAll('.md-search-result__link');"
            " links.length ? done(links.length) : setTimeout(look, 50) }; look() })"
        )
        assert found > 0
        assert [asked for asked in page.requests if not asked.startswith((address, "data:"))] == []
        assert page.complaints == []
