"""Regular expressions on output, bounded: some take exponential time, and ``re`` holds the GIL meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys

CPU_SECONDS = 2
MEMORY_BYTES = 1 << 30
WALL_SECONDS = 60.0  # a machine that gives so little time is no reason for a verdict
_FOUND, _ABSENT = 10, 11
_SCRIPT = f"""
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS}))
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
pattern, text = json.load(sys.stdin)
sys.exit({_FOUND} if re.search(pattern, text) else {_ABSENT})
"""


class Undecided(Exception):
    """A comparison would take more time or memory than it is given."""


def found(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text, by a process of its own; blocks.

    Raises:
        Undecided: it takes more than ``CPU_SECONDS`` or ``MEMORY_BYTES``.
        subprocess.TimeoutExpired: the machine did not give it that much time.
    """
    ended = subprocess.run(  # noqa: S603 - this interpreter, with a script of ours
        [sys.executable, "-I", "-S", "-W", "ignore", "-c", _SCRIPT],
        input=json.dumps([pattern, text]).encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=WALL_SECONDS,
        check=False,
    )
    if ended.returncode not in {_FOUND, _ABSENT}:
        raise Undecided(f"the pattern takes over {CPU_SECONDS} s or {MEMORY_BYTES >> 20} MiB on this output")
    return ended.returncode == _FOUND
