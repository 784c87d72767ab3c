"""`python -m worker.local.pool`: one pool, ready when it prints its line of JSON."""

import argparse
import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
from functools import partial
from operator import attrgetter
from pathlib import Path

from worker.local.faults import PoolFaults
from worker.local.pool import log
from worker.local.pool.config import PoolConfig
from worker.local.pool.errors import StartError
from worker.local.pool.pool import SessionPool
from worker.local.switches import FaultsFile, Switches

PR_SET_PDEATHSIG = 1
VARIABLE = "JSWORKER_POOL_TOKEN"


def main() -> None:
    """Run until SIGTERM or SIGINT; exit status 1 if the pool cannot start."""
    options = _parser().parse_args()
    log.configure()
    if options.die_with_parent:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        asyncio.run(_serve(_config(options)))
    except (StartError, OSError, ValueError, ModuleNotFoundError) as error:
        sys.exit(f"session pool: {error}")


async def _serve(config: PoolConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with SessionPool(config) as pool:
        print(json.dumps({"ready": True, "port": pool.port, "endpoint": pool.endpoint}), flush=True)  # noqa: T201 - the contract with whoever started it
        await stop.wait()


def _config(options: argparse.Namespace) -> PoolConfig:
    faults = Switches(PoolFaults(), partial(log.event, logging.INFO))
    if options.faults:
        faults.follow(FaultsFile(options.faults), attrgetter("pool"))
    return PoolConfig(
        token=_token(options.token_file),
        max_sessions=options.max_sessions,
        cooldown_seconds=options.cooldown,
        spares=options.spares,
        port=options.port,
        faults=faults,
        unsafe_no_sandbox=options.unsafe_no_sandbox,
    )


def _token(file: Path | None) -> str:
    token = file.read_text().strip() if file else os.environ.get(VARIABLE, "")
    if not token:
        raise ValueError(f"there is no token: give --token-file, or set {VARIABLE}")
    return token


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.local.pool", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--token-file", type=Path, help=f"holds the token, which else is in {VARIABLE}")
    parser.add_argument("--max-sessions", type=int, default=5)
    parser.add_argument("--cooldown", type=float, default=300.0, metavar="SECONDS")
    parser.add_argument("--spares", type=int, default=2, help="sessions kept ready")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="the faults to have, as JSON; may change")
    parser.add_argument(
        "--unsafe-no-sandbox", action="store_true", help="run programs unconfined: trusted code only"
    )
    parser.add_argument("--die-with-parent", action="store_true", help="stop when the starting process ends")
    return parser


if __name__ == "__main__":
    main()
