"""What Azure refuses is named with the command that gives it, all names filled in that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob.aio import BlobServiceClient

from tests.contract.adapters.scripted_pool import Answer, ScriptedPool
from tests.contract.doctor.entra import ACCOUNT, OBJECT, TENANT, Credential, Rerouted, context_of
from worker.doctor.pool import pool_access
from worker.doctor.sign_in import credential, token_pool
from worker.doctor.storage_account import ContainerMissing, refusal_of
from worker.faults import ConfigurationFault

if TYPE_CHECKING:
    from worker.doctor.context import Context
    from worker.faults import ServiceFault

GRANT = f"az role assignment create --assignee-object-id {OBJECT} --assignee-principal-type ServicePrincipal"


async def refused(context: Context, status: int, code: str) -> ServiceFault:
    """What the doctor makes of a refusal by the storage account."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>No.</Message></Error>'.encode()
    headers = {"x-ms-error-code": code, "Content-Type": "application/xml"}
    async with ScriptedPool() as server:
        server.plan(Answer(status, body, headers))
        transport = Rerouted(server.url)
        async with BlobServiceClient(ACCOUNT, Credential(), transport=transport, retry_total=0) as service:
            with pytest.raises(HttpResponseError) as error:
                await service.get_container_client("results").get_container_properties()
        return await refusal_of(context, service.url, "results", error.value)


async def test_a_missing_role_on_a_container_comes_with_the_command_that_gives_it() -> None:
    fault = await refused(context_of(Credential()), 403, "AuthorizationPermissionMismatch")
    assert isinstance(fault, ConfigurationFault)
    scope = "$(az storage account show --name account1 --query id --output tsv)"
    assert fault.remedy.startswith(
        f'{GRANT} --role "Storage Blob Data Contributor" '
        f'--scope "{scope}"/blobServices/default/containers/results'
    )


@pytest.mark.parametrize(
    ("status", "code", "says", "mends"),
    [
        (403, "AuthorizationFailure", "from this network", "network-rule add --account-name account1"),
        (401, "InvalidAuthenticationInfo", "refuses the token", "az login --tenant"),
        (404, "ContainerNotFound", "'results' does not exist", "--account-name account1 --name results"),
    ],
)
async def test_other_refusals_of_storage_are_told_from_a_missing_role(
    status: int, code: str, says: str, mends: str
) -> None:
    fault = await refused(context_of(Credential()), status, code)
    assert isinstance(fault, ConfigurationFault)
    assert (says in str(fault), mends in fault.remedy) == (True, True), str(fault)
    assert isinstance(fault, ContainerMissing) == (status == 404)


async def test_an_account_that_takes_no_keys_is_to_be_signed_in_to() -> None:
    context = context_of(None, storage_connection_string="AccountName=a")
    fault = await refused(context, 403, "KeyBasedAuthenticationNotPermitted")
    assert "export JSWORKER_STORAGE_ACCOUNT_URL=https://account1.blob.core.windows.net" in str(fault)


async def test_a_missing_role_on_the_pool_comes_with_the_command_that_gives_it() -> None:
    async with ScriptedPool() as pool:
        pool.plan(Answer(403))
        endpoint = pool.url.replace("sessionPools/p", "resourceGroups/g1/sessionPools/p1")
        context = context_of(Credential(), pool_endpoint=endpoint)
        with pytest.raises(ConfigurationFault) as fault:
            await pool_access(context)
    scope = "/subscriptions/s/resourceGroups/g1/providers/Microsoft.App/sessionPools/p1"
    role = "Azure ContainerApps Session Executor"
    assert fault.value.remedy.startswith(f'{GRANT} --role "{role}" --scope {scope}  #')


async def test_a_user_who_signed_in_is_given_a_role_as_a_user() -> None:
    context = context_of(Credential(idtyp="user"))
    fault = await refused(context, 403, "AuthorizationPermissionMismatch")
    assert "--assignee-principal-type User" in str(fault)


async def test_who_signed_in_is_told_without_the_token() -> None:
    (found,) = await credential(context_of(Credential(appid="c1")))
    assert found.message == f"signed in: Credential, object {OBJECT}, tenant {TENANT}, client c1"
    assert found.facts == {"credential": "Credential", "object_id": OBJECT, "tenant": TENANT}


async def test_a_tenant_without_the_audience_is_told_of_that_token_alone() -> None:
    text = (
        "AADSTS500011: The resource principal named https://dynamicsessions.io was not found in the tenant."
    )
    context = context_of(Credential(ClientAuthenticationError(f"Authentication failed: {text}")))
    (signed_in,) = await credential(context)
    (token,) = await token_pool(context)
    assert (signed_in.status, token.status) == ("ok", "failed")
    assert token.message == f"no token for the session pool: {text}"
    assert "https://dynamicsessions.io" in str(token.remedy)


async def test_each_credential_that_was_tried_is_told_with_its_reason() -> None:
    text = (
        "DefaultAzureCredential failed to retrieve a token from the included credentials.\n"
        "Attempted credentials:\n"
        "\tEnvironmentCredential: EnvironmentCredential authentication unavailable. Variables are not set.\n"
        "\tAzureCliCredential: Azure CLI not found on path\n"
        "To mitigate this issue, please refer to the troubleshooting guidelines."
    )
    (found,) = await credential(context_of(Credential(ClientAuthenticationError(text))))
    assert found.facts["tried"] == {
        "EnvironmentCredential": "EnvironmentCredential authentication unavailable",
        "AzureCliCredential": "Azure CLI not found on path",
    }
    assert "az login" in str(found.remedy)
