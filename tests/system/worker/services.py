"""The three services of a stack as a test looks at them: through clients of its own."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import httpx
from azure.core.exceptions import ResourceNotFoundError
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.storage.blob import BlobServiceClient

T = TypeVar("T")
API_VERSION = "2025-10-02-preview"


def eventually(look: Callable[[], T], seconds: float = 60) -> T:
    """Look until there is something; what is seen last is what the failure shows."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r} after {seconds:g} s"
        time.sleep(0.05)
    return seen


class Services:
    """Queues, blobs and pool of one stack."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.blobs = BlobServiceClient.from_connection_string(
            environment["JSWORKER_STORAGE_CONNECTION_STRING"]
        )
        self._bus = partial(
            ServiceBusClient.from_connection_string, environment["JSWORKER_SERVICEBUS_CONNECTION_STRING"]
        )

    def send(self, queue: str, jobs: Iterable[Mapping[str, Any]]) -> list[str]:
        """Send jobs; their ids."""
        messages = [ServiceBusMessage(json.dumps(job), message_id=job["id"]) for job in jobs]
        self.send_messages(queue, messages)
        return [str(message.message_id) for message in messages]

    def send_messages(self, queue: str, messages: Iterable[ServiceBusMessage | AmqpAnnotatedMessage]) -> None:
        with self._bus() as bus, bus.get_queue_sender(queue) as sender:
            for message in messages:
                sender.send_messages(message)

    def waiting(self, queue: str, sub_queue: str | None = None) -> list[ServiceBusReceivedMessage]:
        """All that a queue holds, be it locked or scheduled."""
        with self._bus() as bus, bus.get_queue_receiver(queue, sub_queue=sub_queue) as receiver:
            return receiver.peek_messages(250, sequence_number=1)

    @contextmanager
    def received(self, queue: str) -> Iterator[ServiceBusReceivedMessage]:
        """A message that no other holds; completed afterwards."""
        with self._bus() as bus, bus.get_queue_receiver(queue) as receiver:
            (message,) = receiver.receive_messages(max_wait_time=10)
            yield message
            receiver.complete_message(message)

    def dead_letter(self, queue: str, reason: str) -> None:
        """Make the queue's next message a dead letter."""
        with self._bus() as bus, bus.get_queue_receiver(queue) as receiver:
            (message,) = receiver.receive_messages(max_wait_time=10)
            receiver.dead_letter_message(message, reason=reason)

    def dead_letters(self, queue: str) -> list[ServiceBusReceivedMessage]:
        return self.waiting(queue, "deadletter")

    def upload(self, blob: str, data: bytes) -> str:
        """Write a blob; its name with the container."""
        container, _, name = blob.partition("/")
        self.blobs.get_blob_client(container, name).upload_blob(data, overwrite=True)
        return blob

    def blob(self, blob: str) -> bytes:
        container, _, name = blob.partition("/")
        return bytes(self.blobs.get_blob_client(container, name).download_blob().readall())

    def result(self, batch: str, job_id: str) -> dict[str, Any] | None:
        try:
            document: dict[str, Any] = json.loads(self.blob(f"results/{batch}/{job_id}/result.json"))
        except ResourceNotFoundError:
            return None
        return document

    def etags(self, batch: str) -> dict[str, str]:
        """The ETag of each result of a batch, by job."""
        found = self.blobs.get_container_client("results").list_blobs(name_starts_with=f"{batch}/")
        return {
            blob.name.split("/")[1]: str(blob.etag) for blob in found if blob.name.endswith("/result.json")
        }

    def results(self, batch: str, ids: Iterable[str], seconds: float = 60) -> dict[str, dict[str, Any]]:
        """The results of these jobs, as soon as all are there."""
        wanted = set(ids)
        eventually(lambda: wanted <= self.etags(batch).keys(), seconds)
        return {job_id: self.result(batch, job_id) or {} for job_id in wanted}

    def progress(self, batch: str) -> list[str]:
        """The jobs that the batch's records name, in their order."""
        container = self.blobs.get_container_client("results")
        names = list(container.list_blob_names(name_starts_with=f"{batch}/_batch/progress-"))
        lines = [line for name in names for line in self.blob(f"results/{name}").splitlines()]
        return [json.loads(line)["id"] for line in lines]

    def sessions(self) -> list[str]:
        """The identifiers of the pool's allocated sessions."""
        listed = self._pool("GET", "listSessions").raise_for_status()
        return [session["identifier"] for session in listed.json()["sessions"]]

    def delete_session(self, identifier: str) -> bool:
        """Delete a session; whether it was there."""
        return self._pool("DELETE", "session", identifier=identifier).is_success

    def _pool(self, method: str, path: str, **query: str) -> httpx.Response:
        return httpx.request(
            method,
            f"{self.environment['JSWORKER_POOL_ENDPOINT']}/{path}",
            params={"api-version": API_VERSION, **query},
            headers={"Authorization": f"Bearer {self.environment['JSWORKER_POOL_TOKEN']}"},
            timeout=30,
        )

    def close(self) -> None:
        self.blobs.close()


def program(batch: str, job_id: str, code: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - a job's own
    """A job with its code inline."""
    return {"version": 1, "id": job_id, "batch": batch, "code": {"inline": code}, **fields}
