"""What stands in a connection string of Service Bus, whose names have no case. None of it is for logs."""

from __future__ import annotations

from urllib.parse import urlsplit

_EMULATOR_PORT = 5300  # of the management API, in Microsoft's emulator


def fields_of(text: str) -> dict[str, str]:
    """Its fields, by their names in lower case."""
    parts = (part.partition("=") for part in text.strip().split(";") if part.strip())
    return {name.strip().lower(): value for name, _, value in parts}


def host_of(text: str) -> str:
    """The host of its endpoint, with the port if one is given."""
    fields = fields_of(text)
    endpoint = fields.get("endpoint") or fields.get("hostname", "")
    return (urlsplit(endpoint).netloc if "//" in endpoint else endpoint).strip("/ ")


def is_emulator(text: str) -> bool:
    """Whether it leads to a development emulator, or the local stack: by the very word that the SDK takes."""
    return fields_of(text).get("usedevelopmentemulator") == "true"


def management_url_of(text: str) -> str:
    """Where the management API of its namespace answers."""
    host = host_of(text)
    if is_emulator(text):
        return f"http://{urlsplit(f'//{host}').hostname}:{_EMULATOR_PORT}"
    return f"https://{urlsplit(f'//{host}').hostname}"


def at_host(text: str, host: str) -> str:
    """The same, with another host in its endpoint."""
    endpoint = ("endpoint", "hostname")
    rest = [part for part in text.split(";") if part.partition("=")[0].strip().lower() not in endpoint]
    return ";".join([f"Endpoint=sb://{host}", *(part for part in rest if part.strip())])
