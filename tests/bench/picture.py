"""A picture of a report for the documentation: ``python -m tests.bench.picture REPORT.html OUT.png [ID]``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from tests import browser


@click.command()
@click.argument("report", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("opened", required=False)
@click.option("--width", default=1100, show_default=True)
@click.option("--height", default=1250, show_default=True)
def main(report: Path, out: Path, opened: str | None, width: int, height: int) -> None:
    """Take a picture of a report's beginning, with one submission opened."""
    out.write_bytes(asyncio.run(_picture(report.resolve().as_uri(), opened, width, height)))


async def _picture(address: str, opened: str | None, width: int, height: int) -> bytes:
    async with browser.chromium() as devtools, browser.page(devtools) as page:
        await page.open(address)
        if opened:
            await page.run(f"document.querySelector('#s-{opened} .open').click()")
        await page.resize(width, height)
        return await page.picture()


if __name__ == "__main__":
    main()
