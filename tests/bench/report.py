"""The report on a big class: written by a process of its own, then opened and sorted in Chromium.

``python -m tests.bench.report OUT --submissions N --cases N`` writes one, and prints what it took as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tests import browser
from tests.bench.figures import Row, Target
from tests.bench.school import result
from worker.batch import Folder
from worker.cli.results import Reporting, report
from worker.inputs import Content

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RESULTS = "jsworker results"
_DIFFERENT = 400  # results; the others are the same under other ids
_PAINTED = "new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"
_SORTED = f"""(async () => {{
  const before = performance.now();
  document.querySelector('[data-key="1"]').click();
  return await {_PAINTED} - before;
}})()"""


class BigClass:
    """A store of the results of a class, which are made as they are read."""

    def __init__(self, submissions: int, cases: int) -> None:
        self.ids = [f"s{number:04}" for number in range(submissions)]
        self._results = [
            json.dumps(result(number, cases)).encode() for number in range(min(_DIFFERENT, submissions))
        ]

    async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Content:
        number = int(blob.split("/")[2].removeprefix("s"))
        template = number % len(self._results)
        data = self._results[template].replace(f'"s{template:04}"'.encode(), f'"s{number:04}"'.encode())
        assert len(data) < limit
        return Content(data, etag or "etag")

    async def create(self, blob: str, data: bytes, *, content_type: str = "") -> str:
        raise NotImplementedError

    async def put(
        self, blob: str, data: bytes, *, if_match: str | None = None, content_type: str = ""
    ) -> str:
        raise NotImplementedError

    async def append(self, blob: str, data: bytes) -> bool:
        raise NotImplementedError

    def names(self, container: str, prefix: str) -> AsyncIterator[str]:
        raise NotImplementedError


async def measure_report(folder: Path, submissions: int, cases: int = 20) -> Row:
    """Written, opened and sorted by score."""
    file = folder / "report.html"
    figures = await _written(file, submissions, cases)
    async with browser.chromium() as devtools, browser.page(devtools) as page:
        await page.open(file.as_uri())
        figures["open_ms"] = await page.run(_PAINTED)
        figures["sort_ms"] = await page.run(_SORTED)
    targets = (
        Target("s to write", figures["write_seconds"], 10),
        Target("MB", figures["memory_mb"], 300),
        Target("ms to open", figures["open_ms"], 2000),
        Target("ms to sort", figures["sort_ms"], 2000),
    )
    return Row(f"report: {submissions:,} submissions, {cases} cases", RESULTS, figures, targets)


async def _written(file: Path, submissions: int, cases: int) -> dict[str, float]:
    arguments = (str(file), "--submissions", str(submissions), "--cases", str(cases))
    command = (sys.executable, "-m", "tests.bench.report", *arguments)
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    answer, _ = await child.communicate()
    figures: dict[str, float] = json.loads(answer)
    return figures


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--submissions", default=5000)
@click.option("--cases", default=20)
def main(out: Path, submissions: int, cases: int) -> None:
    """Write the report on a big class."""
    school = BigClass(submissions, cases)
    begin, cpu = time.monotonic(), time.process_time()
    asyncio.run(report(school, Folder("results", "hw1"), school.ids, Reporting("html", out)))
    memory = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    figures = {
        "write_seconds": time.monotonic() - begin,
        "write_cpu_seconds": time.process_time() - cpu,
        "memory_mb": int(memory) * 1024 / 1e6,
        "file_mb": out.stat().st_size / 1e6,
    }
    click.echo(json.dumps(figures))


if __name__ == "__main__":
    main()
