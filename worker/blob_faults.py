"""What Blob storage's errors mean: the faults of ``worker.faults`` in place of the SDK's exceptions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from worker.faults import (
    BlobMissing,
    CapacityFault,
    ConfigurationFault,
    InfrastructureFault,
    LeaseHeld,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFLICTS = frozenset({409, 412})
_THROTTLED = frozenset({429, 503})
# the SDK's words for an answer of another form
_DAMAGED = (ValueError, TypeError, AttributeError, LookupError, OverflowError)
MOST_OF_A_MESSAGE = 200


@contextmanager
def mapped(blob: str, *, writing: bool = False) -> Iterator[None]:
    """Raise faults in place of the SDK's errors; a container that is missing is one when ``writing``."""
    try:
        yield
    except ResourceNotFoundError as error:
        if writing:
            raise ConfigurationFault(
                f"the container of {blob} does not exist", "Create it, or correct JSWORKER_RESULTS_CONTAINER"
            ) from error
        raise BlobMissing(blob) from error
    except ClientAuthenticationError as error:
        raise _denied(blob, error) from error
    except HttpResponseError as error:
        raise _refused(blob, error) from error
    except AzureError as error:
        raise InfrastructureFault(f"Blob storage is out of reach: {error.message}") from error
    except _DAMAGED as error:
        said = f"{type(error).__name__} {error}"[:MOST_OF_A_MESSAGE]
        raise InfrastructureFault(f"Blob storage's answer on {blob} is damaged: {said}") from error


@contextmanager
def mapped_lease(blob: str) -> Iterator[None]:
    """Every conflict of a lease means one thing: it is not the caller's."""
    try:
        yield
    except HttpResponseError as error:
        if error.status_code in _CONFLICTS:
            raise LeaseHeld(f"{blob} is leased by another, or was since ({code_of(error)})") from error
        raise


def _refused(blob: str, error: HttpResponseError) -> Exception:
    status = error.status_code
    if status is None:
        return InfrastructureFault(f"Blob storage broke off its answer on {blob}")
    if status == 403:  # noqa: PLR2004 - HTTP
        return _denied(blob, error)
    if status in _THROTTLED:
        return CapacityFault(f"Blob storage throttles ({status} {code_of(error)}) on {blob}")
    return InfrastructureFault(f"Blob storage answered {status} {code_of(error)} on {blob}")


def _denied(blob: str, error: HttpResponseError) -> ConfigurationFault:
    return ConfigurationFault(
        f"Blob storage refuses access to {blob} ({code_of(error)})",
        "Give this identity the role Storage Blob Data Contributor on the container, or correct the key",
    )


def code_of(error: HttpResponseError) -> str:
    """The service's own word for what is wrong, which the SDK adds to the exception."""
    code = getattr(error, "error_code", None)  # of the SDK's enumeration, if that has it
    return str(getattr(code, "value", code) or error.status_code)
