"""jsworker: queue-driven batch execution of JavaScript in sandboxed sessions.

The client's names are imported when they are first asked for: the SDKs behind them take a second to load.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from worker.version import __version__

if TYPE_CHECKING:
    from worker.batch import BatchError
    from worker.blocking import Batch, Client
    from worker.client import AsyncClient
    from worker.client_batch import AsyncBatch, BatchProgress
    from worker.faults import BlobMissing, BlobTooLarge, ServiceFault
    from worker.job import Job
    from worker.result import Result
    from worker.settings import ClientSettings, SettingsError

__all__ = [
    "AsyncBatch",
    "AsyncClient",
    "Batch",
    "BatchError",
    "BatchProgress",
    "BlobMissing",
    "BlobTooLarge",
    "Client",
    "ClientSettings",
    "Job",
    "Result",
    "ServiceFault",
    "SettingsError",
    "__version__",
]
_MODULES = {
    "AsyncBatch": "client_batch",
    "AsyncClient": "client",
    "Batch": "blocking",
    "BatchError": "batch",
    "BatchProgress": "client_batch",
    "BlobMissing": "faults",
    "BlobTooLarge": "faults",
    "Client": "blocking",
    "ClientSettings": "settings",
    "Job": "job",
    "Result": "result",
    "ServiceFault": "faults",
    "SettingsError": "settings",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
