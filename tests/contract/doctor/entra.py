"""A credential, and the storage account of an Azure of our own, for what takes Entra."""

from __future__ import annotations

import base64
import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport

from worker.doctor.context import Context
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from azure.core.pipeline.transport import HttpRequest

OBJECT, TENANT = "0b7c0000-0000-4000-8000-00000000000a", "7e4a0000-0000-4000-8000-00000000000b"
ACCOUNT = "https://account1.blob.core.windows.net"
ENDPOINT = "https://westeurope.dynamicsessions.io/subscriptions/s1/resourceGroups/g1/sessionPools/p1"
IN_2100 = 4102444800


def jwt(**claims: object) -> str:
    parts = ({"alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "signature"])


class Credential:
    """Signs in as one service principal, or fails by the error given."""

    def __init__(self, error: Exception | None = None, **claims: object) -> None:
        self._error, self._claims = error, {"oid": OBJECT, "tid": TENANT, "idtyp": "app", **claims}

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:  # noqa: ANN401 - the SDK's
        if self._error:
            raise self._error
        return AccessToken(jwt(**self._claims), IN_2100)

    async def close(self) -> None:
        """There is nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


class Rerouted(AioHttpTransport):  # type: ignore[misc] # azure-core gives it without a type
    """Sends what is for hosts of Azure to a server of the test, without TLS."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._host = urlsplit(url).netloc

    async def send(self, request: HttpRequest, **options: Any) -> Any:  # noqa: ANN401 - the SDK's
        request.url = urlsplit(request.url)._replace(scheme="http", netloc=self._host).geturl()
        return await super().send(request, **options)


def context_of(credential: Credential | None, **settings: object) -> Context:
    """A context with settings of Azure."""
    given = {"pool_endpoint": ENDPOINT, "max_sessions": 1, "storage_account_url": ACCOUNT, **settings}
    return Context(WorkerSettings.model_validate(given), credential, AsyncExitStack())
