"""Answers that Blob storage does not give, but whoever stands before it may, are faults as others are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.adapters.scripted_pool import Answer, ScriptedPool
from worker.blobs import Blobs, open_blobs
from worker.faults import InfrastructureFault
from worker.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

KEY = "a2V5"
HTML = Answer(200, b"<html><body>Sign in</body></html>", {"Content-Type": "text/html"})
NOTHING = Answer(200)
JSON = Answer(200, b"{}", {"Content-Type": "application/json"})
MADE = "Mon, 01 Jan 2024 00:00:00 GMT"


def listed(name: str, mark: str = "", made: str = MADE) -> Answer:
    properties = (
        f"<Creation-Time>{made}</Creation-Time><Last-Modified>{made}</Last-Modified><Etag>1</Etag>"
        "<BlobType>BlockBlob</BlobType><LeaseStatus>locked</LeaseStatus>"
    )
    blob = f"<Blob>{name}<Properties>{properties}</Properties></Blob>"
    body = f"<EnumerationResults><Blobs>{blob}</Blobs><NextMarker>{mark}</NextMarker></EnumerationResults>"
    return Answer(200, body.encode(), {"Content-Type": "application/xml"})


async def names(blobs: Blobs) -> list[str]:
    return [name async for name in blobs.names("c", "")]


LISTS: dict[str, Callable[[Blobs], Awaitable[Any]]] = {
    "names": names,
    "created": lambda blobs: blobs.created("c", ""),
    "older": lambda blobs: blobs.older("c", "", datetime.now(UTC)),
    "leased": lambda blobs: blobs.leased("c", ""),
}


@pytest.fixture
async def blobs(server: ScriptedPool) -> AsyncIterator[Blobs]:
    storage = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={KEY};BlobEndpoint={server.url}"
    queue = f"Endpoint=sb://h/;SharedAccessKeyName=k;SharedAccessKey={KEY}"
    values = {"storage_connection_string": storage, "servicebus_connection_string": queue}
    async with open_blobs(ClientSettings.model_validate(values), None) as blobs:
        yield blobs


@pytest.mark.parametrize("answer", [HTML, NOTHING, JSON], ids=["html", "nothing", "json"])
@pytest.mark.parametrize("kind", LISTS)
async def test_a_list_of_another_form_is_a_fault(
    server: ScriptedPool, blobs: Blobs, kind: str, answer: Answer
) -> None:
    server.plan(answer)
    with pytest.raises(InfrastructureFault):
        await LISTS[kind](blobs)


@pytest.mark.parametrize("kind", LISTS)
async def test_a_list_in_a_circle_is_a_fault(server: ScriptedPool, blobs: Blobs, kind: str) -> None:
    server.plan(*[listed("<Name>a</Name>", mark) for mark in ("1", "2", "1")])
    with pytest.raises(InfrastructureFault, match="circle"):
        await LISTS[kind](blobs)


@pytest.mark.parametrize("kind", LISTS)
async def test_a_list_is_read_to_its_end(server: ScriptedPool, blobs: Blobs, kind: str) -> None:
    server.plan(listed("<Name>a</Name>", "1"), listed("<Name>b</Name>"))
    found = await LISTS[kind](blobs)
    assert [getattr(one, "name", one) for one in found] == ["a", "b"]


async def test_a_blob_without_a_name_is_a_fault(server: ScriptedPool, blobs: Blobs) -> None:
    server.plan(listed(""))
    with pytest.raises(InfrastructureFault, match="without a name"):
        await names(blobs)


@pytest.mark.parametrize("headers", [{}, {"Content-Range": "x"}, {"Last-Modified": "x"}], ids=str)
async def test_a_blob_of_another_form_is_a_fault(
    server: ScriptedPool, blobs: Blobs, headers: dict[str, str]
) -> None:
    server.plan(Answer(206, b"{}", headers))
    with pytest.raises(InfrastructureFault, match="damaged"):
        await blobs.read("c/x", limit=10)
