"""The three commands of a local stack, and the environment in which a worker finds them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from worker.local import azurite
from worker.local.supervised import Command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.local.config import StackConfig
    from worker.local.state import StateDirectory
    from worker.local.supervised import Child

CODE_CONTAINERS = ("submissions", "inputs")
RESULTS_CONTAINER = "results"
SESSION_UMASK = 0o022  # programs see it: the mode of the files they write
SASL_HELLO = b"AMQP\x03\x01\x00\x00"
SHARED_ACCESS_POLICY = "RootManageSharedAccessKey"

# -P: the folder of programs one stands in must not be searched for modules.
PYTHON = (sys.executable, "-P", "-m")
MODULE_PATH = {"PYTHONPATH": str(Path(__file__).parents[2])}


def commands(config: StackConfig, state: StateDirectory) -> dict[str, Command]:
    """What the stack consists of, by role."""
    logs = state.folder("logs")
    return {
        "broker": _broker(config, state, logs / "broker.log"),
        "pool": _pool(config, state, logs / "pool.log"),
        "blobs": azurite.command(
            state.folder("blobs"),
            state.port("blobs"),
            state.key("storage").read_text(),
            logs / "blobs.log",
            state.faults_link if config.faults_file else None,
        ),
    }


def environment(config: StackConfig, state: StateDirectory, children: Mapping[str, Child]) -> dict[str, str]:
    """The settings of a worker that uses this stack."""
    return {
        "JSWORKER_SERVICEBUS_CONNECTION_STRING": (
            f"Endpoint=sb://127.0.0.1:{children['broker'].port};SharedAccessKeyName={SHARED_ACCESS_POLICY};"
            f"SharedAccessKey={state.key('servicebus').read_text()};UseDevelopmentEmulator=true"
        ),
        "JSWORKER_SERVICEBUS_MANAGEMENT_URL": f"http://127.0.0.1:{_management_port(children)}",
        "JSWORKER_QUEUE": state.queue(),
        "JSWORKER_STORAGE_CONNECTION_STRING": azurite.connection_string(
            children["blobs"].port, state.key("storage").read_text()
        ),
        "JSWORKER_CODE_CONTAINERS": ",".join(CODE_CONTAINERS),
        "JSWORKER_RESULTS_CONTAINER": RESULTS_CONTAINER,
        "JSWORKER_POOL_ENDPOINT": str(children["pool"].ready["endpoint"]),
        "JSWORKER_POOL_TOKEN": state.key("pool").read_text(),
        "JSWORKER_MAX_SESSIONS": str(config.max_sessions),
        "JSWORKER_SESSION_COOLDOWN_SECONDS": str(config.cooldown_seconds),
    }


def ports(children: Mapping[str, Child]) -> dict[str, int]:
    """The ports to have again the next time, by the names that a state directory keeps them under."""
    return {role: child.port for role, child in children.items()} | {
        "broker-management": _management_port(children)
    }


def _management_port(children: Mapping[str, Child]) -> int:
    return int(children["broker"].ready["management_port"])


def _faults(config: StackConfig, state: StateDirectory) -> tuple[str, ...]:
    return (f"--faults={state.faults_link}",) if config.faults_file else ()


def _broker(config: StackConfig, state: StateDirectory, log: Path) -> Command:
    arguments = (
        f"--data={state.folder('broker')}",
        f"--queues={state.queues_file}",
        f"--port={state.port('broker')}",
        f"--management-port={state.port('broker-management')}",
        f"--key-file={state.key('servicebus')}",
        *_faults(config, state),
        "--die-with-parent",
    )
    return Command(
        name="broker",
        arguments=(*PYTHON, "worker.local.broker", *arguments),
        log=log,
        hello=SASL_HELLO,
        answer=SASL_HELLO,
        environment=MODULE_PATH,
    )


def _pool(config: StackConfig, state: StateDirectory, log: Path) -> Command:
    arguments = (
        f"--port={state.port('pool')}",
        f"--token-file={state.key('pool')}",
        *config.pool_arguments(),
        *_faults(config, state),
        "--die-with-parent",
    )
    return Command(
        name="session pool",
        arguments=(*PYTHON, "worker.local.pool", *arguments),
        log=log,
        hello=azurite.HTTP_HELLO,
        answer=azurite.HTTP_ANSWER,
        environment=MODULE_PATH,
        umask=SESSION_UMASK,
    )
