"""The broker as a process of the local stack: `python -m worker.local.broker --help`."""

import argparse
import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
from operator import attrgetter
from pathlib import Path

from pydantic import ValidationError

from worker.local.broker.config import BrokerConfig, ConfigError, read_declaration
from worker.local.broker.log import JsonLines
from worker.local.broker.server import Broker
from worker.local.faults import BrokerFaults, FaultsError
from worker.local.switches import FaultsFile, Switches
from worker.local.validation import explain

_SET_PARENT_DEATH_SIGNAL = 1
_log = logging.getLogger("jsworker.broker")
_SWITCH_INTERVAL_SECONDS = 0.001  # the thread that committed must not wait long for the interpreter


def main() -> int:
    """Run until SIGTERM or SIGINT. Exit status: 0 stopped, 1 the store failed, 2 wrong configuration."""
    arguments = _parse_arguments()
    if arguments.die_with_parent:
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    try:
        config = _read_config(arguments)
        faults = _read_faults(arguments)
    except (ConfigError, FaultsError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return asyncio.run(_serve(config, faults, arguments.ready_fd))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m worker.local.broker", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder for the store; made when missing")
    parser.add_argument(
        "--queues", type=Path, required=True, help="JSON file that declares queues and topics"
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 lets the system choose")
    parser.add_argument("--management-port", type=int, default=0, help="port of the management API (HTTP)")
    parser.add_argument("--key-file", type=Path, required=True, help="file with the shared access key")
    parser.add_argument("--token-file", type=Path, help="file with accepted bearer tokens, one a line")
    parser.add_argument("--ready-fd", type=int, default=1, help="where to write the ready line")
    parser.add_argument("--die-with-parent", action="store_true", help="be killed when the parent ends")
    parser.add_argument("--faults", type=Path, help="JSON file with the faults to have; may change")
    return parser.parse_args()


def _read_config(arguments: argparse.Namespace) -> BrokerConfig:
    tokens = arguments.token_file.read_text().split() if arguments.token_file else []
    declaration = read_declaration(arguments.queues)
    try:
        return BrokerConfig(
            data_dir=arguments.data,
            queues=declaration.queues,
            topics=declaration.topics,
            key=arguments.key_file.read_text().strip(),
            port=arguments.port,
            management_port=arguments.management_port,
            accepted_tokens=frozenset(tokens),
        )
    except ValidationError as error:
        raise ConfigError(explain(error)) from error


def _read_faults(arguments: argparse.Namespace) -> Switches[BrokerFaults]:
    faults = Switches(BrokerFaults(), _tell)
    if arguments.faults:
        faults.follow(FaultsFile(arguments.faults), attrgetter("broker"))
    return faults


def _tell(event: str, /, **fields: object) -> None:
    _log.info(event, extra=fields)


async def _serve(config: BrokerConfig, faults: Switches[BrokerFaults], ready_fd: int) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with Broker(config, faults) as broker:
        ready = {"ready": True, "port": broker.port, "management_port": broker.management_port}
        os.write(ready_fd, json.dumps(ready).encode() + b"\n")
        waits = [asyncio.ensure_future(event.wait()) for event in (stopped, broker.failed)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return 1 if broker.failed.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
