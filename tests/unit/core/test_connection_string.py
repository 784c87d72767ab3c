"""Where a connection string leads."""

import pytest

from worker.connection_string import at_host, host_of, is_emulator, management_url_of
from worker.settings import ClientSettings

CLOUD = "Endpoint=sb://name.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey=k+e/y=="
EMULATOR = (
    "endpoint=sb://localhost:5673;SharedAccessKeyName=all;SharedAccessKey=k;UseDevelopmentEmulator=true;"
)


@pytest.mark.parametrize(
    ("text", "host", "url"),
    [
        (CLOUD, "name.servicebus.windows.net", "https://name.servicebus.windows.net"),
        (EMULATOR, "localhost:5673", "http://localhost:5300"),
        (EMULATOR.replace(":5673", ""), "localhost", "http://localhost:5300"),
        (EMULATOR.replace("=true", "=True"), "localhost:5673", "https://localhost"),
        ("HostName=name.servicebus.windows.net;X=y", "name.servicebus.windows.net",
         "https://name.servicebus.windows.net"),
    ],
)  # fmt: skip
def test_the_management_api_is_where_the_endpoint_is(text: str, host: str, url: str) -> None:
    assert (host_of(text), management_url_of(text)) == (host, url)


def test_another_host_leaves_the_key_as_it_is() -> None:
    assert at_host(CLOUD, "127.0.0.1:1") == (
        "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=all;SharedAccessKey=k+e/y=="
    )
    assert is_emulator(at_host(EMULATOR, "x"))


def test_a_setting_names_another_address() -> None:
    settings = ClientSettings.model_validate(
        {"servicebus_connection_string": EMULATOR, "servicebus_management_url": "http://127.0.0.1:1/"}
    )
    assert settings.management_url == "http://127.0.0.1:1"
    assert ClientSettings(servicebus_namespace="n.example").management_url == "https://n.example"


@pytest.mark.parametrize(
    "given", [{"servicebus_connection_string": CLOUD}, {"servicebus_namespace": "n.example"}]
)
def test_keys_do_not_travel_by_http_but_to_an_emulator(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="UseDevelopmentEmulator=true"):
        ClientSettings.model_validate({"servicebus_management_url": "http://n.example"} | given)
