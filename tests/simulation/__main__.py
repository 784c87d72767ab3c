"""``python -m tests.simulation [SEEDS]``: simulates ``0-4999``, or ``7`` and shows its log."""

from __future__ import annotations

import logging
import sys
import time

import structlog

from tests.simulation.checker import Verdict, judge
from tests.simulation.fleet import simulate
from tests.simulation.scenario import scenario


def seeds_of(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main(arguments: list[str]) -> int:
    seeds = seeds_of(arguments[0] if arguments else "0-249")
    if len(seeds) > 1:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    total, began = Verdict(), time.monotonic()
    for seed in seeds:
        verdict = judge(simulate(scenario(seed)))
        total.tallies.update(verdict.tallies)
        for violation in verdict.violations:
            total.violations.append(violation)
            print(f"seed {seed} ({scenario(seed).profile}): {violation}", flush=True)  # noqa: T201 - a command's output
    for name, count in total.tallies.items():
        print(f"{name:>28} {count}")  # noqa: T201 - as above
    print(f"{'seconds':>28} {time.monotonic() - began:.1f}")  # noqa: T201 - as above
    return 1 if total.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
