"""What is no connection string is told as a wrong setting, by its name and without its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from worker.blobs import open_blobs
from worker.servicebus import open_servicebus
from worker.settings import ClientSettings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

OPENING: dict[str, Callable[..., AbstractAsyncContextManager[object]]] = {
    "servicebus": open_servicebus,
    "storage": open_blobs,
}


@pytest.mark.parametrize("service", OPENING)
@pytest.mark.parametrize("text", ["hush", "hush=hush", "Endpoint=sb:hush;SharedAccessKey"])
async def test_what_is_none_is_a_setting_that_cannot_be_used(service: str, text: str) -> None:
    settings = ClientSettings.model_validate({f"{service}_connection_string": text})
    with pytest.raises(SettingsError, match=f"JSWORKER_{service.upper()}_CONNECTION_STRING: ") as caught:
        async with OPENING[service](settings, None):
            pass
    assert "hush" not in str(caught.value)
