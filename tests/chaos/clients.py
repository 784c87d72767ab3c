"""The harness's own view of queue, blobs and pool, past relays and faults' reach as far as possible."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError
from azure.storage.blob import BlobServiceClient

from tests.chaos.jobs import BATCH, NAMELESS_BATCH
from tests.chaos.records import DeadLetter
from tests.chaos.services import QUEUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from azure.servicebus import ServiceBusReceivedMessage

API_VERSION = "2025-10-02-preview"
SAMPLE_SECONDS = 0.05
LOOK_SECONDS = 3.0
RESULTS = "results"


class Bus:
    """One queue."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._connection = environment["JSWORKER_SERVICEBUS_CONNECTION_STRING"]
        self._over = threading.Event()

    def send(self, messages: Iterable[tuple[str, bytes]]) -> int:
        """Send messages, again if it is not sure, until closed; how many may have been sent twice or more."""
        ready = [
            ServiceBusMessage(body, message_id=name, content_type="application/json")
            for name, body in messages
        ]
        uncertain = 0
        while not self._over.is_set():
            try:
                with self._client() as client, client.get_queue_sender(QUEUE) as sender:
                    sender.send_messages(ready)
            except (ServiceBusError, OSError, ValueError, AttributeError):
                uncertain += len(ready)
                self._over.wait(0.5)
            else:
                break
        return uncertain

    def close(self) -> None:
        """Give up what is being sent: a thread that sends to a queue that is gone would never end."""
        self._over.set()

    def waiting(self) -> list[str]:
        """The ids of all messages, be they locked or scheduled."""
        return [str(message.message_id) for message in self._peeked()]

    def dead_letters(self) -> list[DeadLetter]:
        """Those of the dead-letter queue."""
        return [
            DeadLetter(message.sequence_number or 0, _job_of(message), str(message.dead_letter_reason))
            for message in self._peeked("deadletter")
        ]

    def _peeked(self, sub_queue: str | None = None) -> Iterator[ServiceBusReceivedMessage]:
        with self._client() as client, client.get_queue_receiver(QUEUE, sub_queue=sub_queue) as receiver:
            first = 1
            while found := receiver.peek_messages(250, sequence_number=first):
                yield from found
                first = (found[-1].sequence_number or 0) + 1

    def _client(self) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(self._connection, retry_total=1)


class Blobs:
    """The blob store; its calls are tried again, since the faults are the store's own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        connection = environment["JSWORKER_STORAGE_CONNECTION_STRING"]
        self._client = BlobServiceClient.from_connection_string(connection, retry_total=3)
        self._results = self._client.get_container_client(RESULTS)

    def upload(self, blobs: Mapping[str, bytes]) -> None:
        """Write blobs by ``container/name``."""
        for blob, data in blobs.items():
            container, _, name = blob.partition("/")
            self._client.get_blob_client(container, name).upload_blob(data, overwrite=True)

    def etags(self) -> dict[str, str]:
        """The ETag of each result by job."""
        return {
            blob.name.split("/")[1]: str(blob.etag)
            for batch in (BATCH, NAMELESS_BATCH)
            for blob in self._results.list_blobs(name_starts_with=f"{batch}/")
            if blob.name.endswith("/result.json")
        }

    def results(self, jobs: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The results of jobs that have one."""
        found = {}
        for job in jobs:
            batch = NAMELESS_BATCH if job.startswith("message-") else BATCH
            found[job] = json.loads(self._results.download_blob(f"{batch}/{job}/result.json").readall())
        return found

    def lines(self) -> list[dict[str, Any]]:
        """The progress records' lines."""
        names = [
            name
            for batch in (BATCH, NAMELESS_BATCH)
            for name in self._results.list_blob_names(name_starts_with=f"{batch}/_batch/progress-")
        ]
        data = [self._results.download_blob(name).readall() for name in names]
        return [json.loads(line) for text in data for line in text.splitlines()]

    def leased_permits(self) -> list[str]:
        """The names of permits that somebody holds."""
        blobs = self._results.list_blobs(name_starts_with="_deployment/permits/")
        return [blob.name for blob in blobs if blob.lease and blob.lease.state == "leased"]

    def close(self) -> None:
        self._client.close()


class Pool:
    """Lists the pool's sessions over a connection of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = urlsplit(environment["JSWORKER_POOL_ENDPOINT"])
        self._path = f"{address.path}/listSessions?api-version={API_VERSION}"
        self._headers = {"Authorization": f"Bearer {environment['JSWORKER_POOL_TOKEN']}"}
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)

    def sessions(self) -> list[str]:
        """The identifiers of the allocated sessions.

        Raises:
            OSError: it does not say.
        """
        try:
            self._connection.request("GET", self._path, headers=self._headers)
            answer = self._connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise OSError("the pool does not answer") from error
        if answer.status != http.HTTPStatus.OK:
            raise OSError(f"the pool answers {answer.status}")
        return [session["identifier"] for session in json.loads(data)["sessions"]]

    def close(self) -> None:
        self._connection.close()


class Observer:
    """Looks at the pool each 50 ms and at the results each few seconds, in threads of its own.

    Attributes:
        sampled: numbers of allocated sessions.
        sightings: ETags of the results by job.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._pool, self._blobs = Pool(environment), Blobs(environment)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=target) for target in (self._sample, self._look)]
        self.sampled: list[int] = []
        self.sightings: list[dict[str, str]] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._pool.close()
        self._blobs.close()

    @property
    def seen(self) -> int:
        """How many results there were at the last look."""
        return len(self.sightings[-1]) if self.sightings else 0

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            with suppress(OSError):
                self.sampled.append(len(self._pool.sessions()))

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with suppress(AzureError, OSError):
                self.sightings.append(self._blobs.etags())


def _job_of(message: ServiceBusReceivedMessage) -> str | None:
    try:
        document = json.loads(b"".join(message.body))
    except (ValueError, TypeError):
        return None
    name = document.get("id") if isinstance(document, dict) else None
    return name if isinstance(name, str) else None
