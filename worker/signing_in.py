"""The credential of a process, which answers in bounded time whatever it asks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar

from azure.core.exceptions import AzureError, ClientAuthenticationError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

    from azure.core.credentials import AccessToken, AccessTokenInfo

T = TypeVar("T")
TOKEN_SECONDS = 60.0  # a chain of credentials asks one after another, some of them over the network


class BoundedCredential:
    """A credential of the SDK within ``TOKEN_SECONDS``; by itself it waits as long as it is told to.

    Attributes:
        inner: the credential.
    """

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - one with both of the SDK's protocols
        self.inner = inner

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - the SDK's
        """A token; raises ``AzureError``, of which ``ClientAuthenticationError`` says that there is none."""
        return await _bounded(self.inner.get_token(*scopes, **options))

    async def get_token_info(self, *scopes: str, **options: Any) -> AccessTokenInfo:  # noqa: ANN401 - the SDK's
        """A token with what is known of it; raises as ``get_token`` does."""
        return await _bounded(self.inner.get_token_info(*scopes, **options))

    async def close(self) -> None:
        """Close what it signs in by."""
        await self.inner.close()

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.inner.__aexit__(exc_type, exc_value, traceback)


async def _bounded(asked: Coroutine[Any, Any, T]) -> T:
    try:
        async with asyncio.timeout(TOKEN_SECONDS):
            return await asked
    except TimeoutError as error:
        raise ClientAuthenticationError(f"no token came within {TOKEN_SECONDS:g} s") from error
    except AzureError:  # an outage stays one, and is waited for
        raise
    except Exception as error:  # whatever the SDK makes of a damaged answer
        raise ClientAuthenticationError(f"no token came: {type(error).__name__} {error}") from error
