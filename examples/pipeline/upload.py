"""Uploads the pipeline's programs and a CSV file, and tells of the upload as Event Grid would.

    python upload.py [sales.csv]

On Azure, `az storage blob upload` and an Event Grid subscription of the storage account do the same.
The settings are jsworker's own: eval "$(jsworker local env --export)"
"""

import json
import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

HERE = Path(__file__).parent
PROGRAMS = ("clean.mjs", "chart.mjs", "announce.mjs")


def main() -> None:
    """Upload, then send the event."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "sales.csv"
    name = f"uploads/{uuid.uuid4().hex[:8]}/{file.name}"
    with BlobServiceClient.from_connection_string(os.environ["JSWORKER_STORAGE_CONNECTION_STRING"]) as blobs:
        for program in PROGRAMS:
            target = blobs.get_blob_client("submissions", f"pipeline/{program}")
            target.upload_blob((HERE / program).read_bytes(), overwrite=True)
        target = blobs.get_blob_client("inputs", name)
        target.upload_blob(file.read_bytes())
    event = blob_created(target.url, f"/blobServices/default/containers/inputs/blobs/{name}")
    message = ServiceBusMessage(json.dumps(event), message_id=event["id"], content_type="application/json")
    connection = os.environ["JSWORKER_SERVICEBUS_CONNECTION_STRING"]
    with (
        ServiceBusClient.from_connection_string(connection) as client,
        client.get_queue_sender(os.environ.get("JSWORKER_QUEUE", "jobs")) as sender,
    ):
        sender.send_messages(message)
    print(f"uploaded inputs/{name}; event {event['id']}")


def blob_created(url: str, subject: str) -> dict[str, object]:
    """The event, in the schema of Event Grid."""
    return {
        "topic": "/subscriptions/0/resourceGroups/local/providers/Microsoft.Storage/storageAccounts/local",
        "subject": subject,
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "id": str(uuid.uuid4()),
        "data": {"api": "PutBlob", "contentType": "text/csv", "blobType": "BlockBlob", "url": url},
        "dataVersion": "",
        "metadataVersion": "1",
    }


if __name__ == "__main__":
    main()
