"""Bearer tokens for the session pool."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError

from worker.faults import ConfigurationFault

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

SCOPE = "https://dynamicsessions.io/.default"


class Tokens:
    """Bearer tokens for the pool, from the credential or as set; renewed five minutes before they end."""

    def __init__(self, credential: AsyncTokenCredential | None, fixed: str | None) -> None:
        self._credential, self._fixed = credential, fixed
        self._token, self._until = "", 0.0

    async def get(self, *, fresh: bool = False) -> str:
        """A token; ``fresh`` after the service refused the last one.

        Raises:
            ConfigurationFault: there is none.
        """
        token = self._fixed or await self._of_credential(fresh=fresh)
        if not (token.isascii() and token.isprintable()):
            raise ConfigurationFault(
                "the token for the session pool has characters that no token has",
                "Set JSWORKER_POOL_TOKEN without line ends, or look at what gives the identity its tokens",
            )
        return token

    async def _of_credential(self, *, fresh: bool) -> str:
        if not self._credential:
            return ""
        if fresh or time.time() > self._until:
            try:
                token = await self._credential.get_token(SCOPE)
            except AzureError as error:
                raise ConfigurationFault(
                    f"no token for the session pool: {error}",
                    "Sign in (az login), give the worker a managed identity, or set JSWORKER_POOL_TOKEN",
                ) from error
            self._token, self._until = token.token, token.expires_on - 300
        return self._token
