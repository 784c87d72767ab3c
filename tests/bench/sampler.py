"""Runs a module and samples what its CPU is spent on: ``python -m tests.bench.sampler OUT MODULE ARGUMENTS``.

Each few milliseconds of CPU the stack is looked at, which slows nothing down, unlike a tracing profiler.
SIGUSR1 forgets the samples so far (those of the start); they are written as JSON when the module ends.
"""

from __future__ import annotations

import json
import re
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_INTERVAL = 0.004  # seconds of CPU; the kernel's own clock is no finer
_OWN = re.compile(r"/worker/(?!cli/)|/tests/bench/bare_loop")
_LIBRARY = re.compile(r"/python3\.\d+/([^/.]+)|<frozen ([\w.]+)>")
_AROUND = {"asyncio", "runpy", "click", "worker", "tests"}  # on every stack

Samples = Counter[tuple[str, str]]


def describe(frame: FrameType | None) -> tuple[str, str]:
    """Our innermost function on the stack, or else whose callback it is; and the package at work."""
    stack = []
    while frame:
        stack.append((frame.f_code.co_filename, frame.f_code.co_qualname))
        frame = frame.f_back
    packages = [_package(file) for file, _ in stack]
    for file, name in stack:
        if _OWN.search(file):
            return f"{file.rpartition('/')[2]}:{name}", packages[0]
    called = next((package for package in reversed(packages) if package not in _AROUND), "asyncio")
    return f"event loop: {called}", packages[0]


def _package(file: str) -> str:
    _, installed, path = file.rpartition("site-packages/")
    if installed:
        parts = path.split("/")
        return ".".join(parts[:2]) if parts[0] == "azure" else parts[0].removesuffix(".py")
    found = _LIBRARY.search(file)
    if found:
        return found[1] or found[2]
    return "worker" if "/worker/" in file else "tests" if "/tests/" in file else file


def main() -> None:
    out, module, *arguments = sys.argv[1:]
    samples: Samples = Counter()
    signal.signal(signal.SIGPROF, lambda _, frame: samples.update([describe(frame)]))
    signal.signal(signal.SIGUSR1, lambda *_: samples.clear())
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        lines = [[place, leaf, count] for (place, leaf), count in samples.items()]
        Path(out).write_text(json.dumps(lines))


if __name__ == "__main__":
    main()
