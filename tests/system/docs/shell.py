"""Runs what a page has a reader do: one shell for the page, in a folder of its own with the examples."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.pages import Block

SECONDS = 180  # a page takes 15 at most where nothing else runs
UPLOAD = Path(__file__).parent / "upload.py"  # for what a page takes for granted
DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_VARIES = re.compile(rf"(?P<number>[0-9a-f]*[0-9][0-9a-f]*)|\b(?P<day>{DAYS})\b|\bCES?T\b|(?P<space>\s+)|…")
_SPEED = re.compile(r", [0-9.]+/s(, [0-9:]+ left)?")


@dataclass(frozen=True)
class Story:
    """A page's blocks as they are run, and what came of it; ``folder`` has ``examples`` and ``.venv``."""

    folder: Path
    blocks: Sequence[Block]

    def has(self, *commands: str) -> bool:
        """Whether one of them is run."""
        scripts = [block.before + block.script for block in self.blocks if block.is_run]
        return any(command in script for command in commands for script in scripts)

    def prepare(self) -> None:
        """Put into the folder what a reader has: a clone with an environment, and the page's own files."""
        shutil.copytree(ROOT / "examples", self.folder / "examples")
        (self.folder / ".venv").symlink_to(sys.prefix)
        (self.folder / "page").mkdir()

    def run(self, settings: Mapping[str, str]) -> None:
        """Run all blocks; raises ``AssertionError`` with what was said by the one that failed."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("JSWORKER_")}
        path = f"{Path(sys.prefix, 'bin')}:{os.environ['PATH']}"
        with subprocess.Popen(  # noqa: S603 - what our pages say
            ["/bin/bash", "-eu", "-o", "pipefail", "-c", "\n".join(self._script())],
            cwd=self.folder,
            env={**own, "PATH": path, "PYTHONPATH": str(ROOT), "UPLOAD": str(UPLOAD), **settings},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                status = process.wait(SECONDS)
            finally:
                _end(process.pid)
        assert status == 0, self._what_failed()

    def differences(self) -> list[str]:
        """The lines that consoles are shown to print, and did not."""
        return [
            f"{block.place}: {line}"
            for number, block in enumerate(self.blocks)
            if block.is_run and block.language == "console"
            for step, (_, shown) in enumerate(block.exchanges)
            for line in missing(shown, (self.folder / f"page/{number}.{step}").read_text().splitlines())
        ]

    def _script(self) -> Iterable[str]:
        yield f"page={self.folder}/page"
        for number, block in enumerate(self.blocks):
            if block.file:
                (self.folder / "page" / f"{number}.file").write_text(block.text)
                yield f"cp $page/{number}.file {block.file}"
            if not block.is_run:
                continue
            yield f"echo {number} > $page/at; date +%s.%N >> $page/times"
            yield from _grouped(block.before, f"$page/{number}.before")
            if block.language == "console":
                for step, (command, _) in enumerate(block.exchanges):
                    yield from _grouped(command, f"$page/{number}.{step}", may_fail=True)
            else:
                yield from _grouped(block.text, f"$page/{number}")

    def _what_failed(self) -> str:
        number = int((self.folder / "page/at").read_text())
        said = [path.read_text() for path in sorted(self.folder.glob(f"page/{number}*"))]
        return f"{self.blocks[number].place} failed:\n" + "\n".join(said)


def missing(shown: Iterable[str], printed: Sequence[str]) -> list[str]:
    """The lines shown that do not come, in their order, among those printed.

    Numbers, days and how fast it goes may differ.
    """
    rest, absent = [_SPEED.sub("", line).strip() for line in printed], []
    for line in shown:
        pattern = re.compile(_pattern(_SPEED.sub("", line).strip()))
        at = next((index for index, each in enumerate(rest) if pattern.fullmatch(each)), None)
        if at is None:
            absent.append(line)
        else:
            rest = rest[at + 1 :]
    return absent


def _pattern(text: str) -> str:
    """What matches a line that is the same but for numbers, days, zones and the width of columns."""
    parts, at = [], 0
    for found in _VARIES.finditer(text):
        parts += [re.escape(text[at : found.start()]), _varied(found)]
        at = found.end()
    return "".join([*parts, re.escape(text[at:])])


def _varied(found: re.Match[str]) -> str:
    if found["number"]:
        return "[0-9a-f]+"
    if found["space"]:
        return r"\s+"
    return DAYS.join("()") if found["day"] else ".*" if found[0] == "…" else "CES?T"


def _grouped(script: str, output: str, *, may_fail: bool = False) -> Iterable[str]:
    if script.strip():
        yield f"{{\n{script.rstrip()}\n}} > {output} 2>&1{' || true' if may_fail else ''}"


def _end(group: int) -> None:
    """End what a page may have left running in the background."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
