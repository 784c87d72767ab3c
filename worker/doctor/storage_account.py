"""The storage account as the doctor talks to it, and what its refusals mean."""

from __future__ import annotations

from contextlib import asynccontextmanager
from shlex import quote
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient

from worker.blob_faults import code_of
from worker.doctor.roles import BLOB_ROLE, account_of, container_scope, grant
from worker.doctor.sign_in import STORAGE_SCOPE
from worker.faults import ConfigurationFault, InfrastructureFault, ServiceFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.storage.blob.aio import ContainerClient

    from worker.doctor.context import Context
    from worker.settings import ClientSettings

_DENIED = frozenset({401, 403})
_NO_KEYS = "KeyBasedAuthenticationNotPermitted"
_FIREWALL = "AuthorizationFailure"
_NO_ROLE = "AuthorizationPermissionMismatch"


class ContainerMissing(ConfigurationFault):
    """There is no such container."""


def account_url(settings: ClientSettings) -> str:
    """Where the account's blobs are.

    Raises:
        ConfigurationFault: the connection string cannot be read.
    """
    return _client(settings, None).url


@asynccontextmanager
async def container_of(context: Context, name: str) -> AsyncIterator[ContainerClient]:
    """A container, talked to without retries; its refusals come with what is to be done.

    Raises:
        ConfigurationFault: access is refused, or the container does not exist.
        InfrastructureFault: the account does not do its part.
    """
    async with _client(context.settings, context) as service:
        try:
            yield service.get_container_client(name)
        except HttpResponseError as error:
            raise await refusal_of(context, service.url, name, error) from error
        except AzureError as error:
            raise InfrastructureFault(f"the storage account is out of reach: {error.message}") from error


def _client(settings: ClientSettings, context: Context | None) -> BlobServiceClient:
    options: dict[str, Any] = {
        "retry_total": 0,
        "connection_timeout": 10,
        "read_timeout": 20,
    }
    secret = settings.storage_connection_string
    if not secret:
        credential = context.credential if context else None
        return BlobServiceClient(settings.storage_account_url or "", credential, **options)
    try:
        return BlobServiceClient.from_connection_string(secret.get_secret_value(), **options)
    except ValueError as error:
        raise ConfigurationFault(
            f"JSWORKER_STORAGE_CONNECTION_STRING cannot be read: {error}",
            "az storage account show-connection-string --name ACCOUNT --query connectionString --output tsv",
        ) from error


async def refusal_of(context: Context, url: str, container: str, error: HttpResponseError) -> ServiceFault:
    """What the account refused, and what to do about it."""
    code = code_of(error)
    account = quote(account_of(url))
    if isinstance(error, ResourceNotFoundError):
        return ContainerMissing(
            f"the container {container!r} does not exist",
            f"az storage container create --account-name {account} --name {quote(container)} "
            "--auth-mode login",
        )
    if error.status_code is None:  # nothing was sent
        return _unsigned(context, account, error)
    if error.status_code not in _DENIED:
        return InfrastructureFault(f"the storage account answered {error.status_code} {code}")
    return await _denied(context, url, container, code)


async def _denied(context: Context, url: str, container: str, code: str) -> ConfigurationFault:
    account = quote(account_of(url))
    if context.settings.storage_connection_string:
        return _key_refused(account, code)
    if code == _NO_ROLE:
        return ConfigurationFault(
            f"whoever signs in may not do this in the container {container!r} ({code}): the role is missing",
            await grant(context, BLOB_ROLE, STORAGE_SCOPE, container_scope(url, container)),
        )
    if code == _FIREWALL:
        return ConfigurationFault(
            f"the account lets nobody in from this network ({code})",
            "Give it a private endpoint in the worker's network, or let the address in: "
            f"az storage account network-rule add --account-name {account} --ip-address ADDRESS",
        )
    return ConfigurationFault(
        f"the account refuses the token ({code}): it is of another tenant, or this machine's clock is wrong",
        "Sign in to the account's tenant: az login --tenant TENANT",
    )


def _unsigned(context: Context, account: str, error: HttpResponseError) -> ConfigurationFault:
    if context.settings.storage_connection_string:
        return _key_refused(account, "it is no key")
    return ConfigurationFault(f"no token for the storage account: {error.message}", "Sign in: az login")


def _key_refused(account: str, code: str) -> ConfigurationFault:
    if code == _NO_KEYS:
        return ConfigurationFault(
            "the account takes no keys",
            f"unset JSWORKER_STORAGE_CONNECTION_STRING; export JSWORKER_STORAGE_ACCOUNT_URL="
            f"https://{account}.blob.core.windows.net",
        )
    return ConfigurationFault(
        f"the account refuses the key ({code})",
        "export JSWORKER_STORAGE_CONNECTION_STRING="
        f'"$(az storage account show-connection-string --name {account} '
        '--query connectionString --output tsv)"',
    )
