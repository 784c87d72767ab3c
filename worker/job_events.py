"""The events that tell of jobs and batches that have ended: CloudEvents 1.0, as JSON.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker.result import result_blob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.result import Result

JOB_COMPLETED = "io.jsworker.job.completed"
BATCH_COMPLETED = "io.jsworker.batch.completed"
CONTENT_TYPE = "application/cloudevents+json"
MOST_ID = 128  # characters; what a message's id may have
MOST_METADATA = 4096  # bytes
MOST_FILES = 20


@dataclass(frozen=True)
class Event:
    """An event to send.

    Attributes:
        properties: what the rules of subscriptions may go by.
    """

    document: dict[str, Any]
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same for each time that the event is sent."""
        return str(self.document["id"])

    @property
    def type(self) -> str:
        """What has happened."""
        return str(self.document["type"])

    @property
    def body(self) -> str:
        """As it is sent."""
        return json.dumps(self.document, separators=(",", ":"))


def job_completed(result: Result, attempt: str, source: str, container: str) -> Event:
    """That a job has ended.

    Args:
        result: as committed.
        attempt: whose commit it is; another one is another event.
        source: of all events of this deployment.
        container: of the results.
    """
    name = f"{result.batch}/{result.id}"
    document = {
        **_event(JOB_COMPLETED, f"{name}/{attempt}", name, source),
        "time": result.model_dump(mode="json", include={"finished_at"})["finished_at"],
        "jsworkerdepth": result.trigger.depth if result.trigger else 0,
        **(result.trace.fields() if result.trace else {}),
        "data": _job(result, container),
    }
    told = {"batch": result.batch, "status": result.status, "verdict": result.verdict}
    return Event(document, _properties(document, told))


def batch_completed(record: Mapping[str, Any], source: str, container: str) -> Event:
    """That a batch is complete, by the record that says so."""
    batch = str(record["batch"])
    document = {
        **_event(BATCH_COMPLETED, f"{batch}/complete/{record['mark']}", batch, source),
        "time": record["completed_at"],
        "data": {
            **{name: record[name] for name in ("batch", "jobs", "statuses", "verdicts", "not_graded")},
            "results": f"{container}/{batch}/",
        },
    }
    return Event(document, _properties(document, {"batch": batch}))


def _event(kind: str, name: str, subject: str, source: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": name if len(name) <= MOST_ID else hashlib.sha256(name.encode()).hexdigest(),
        "source": source,
        "type": kind,
        "subject": subject,
        "datacontenttype": "application/json",
    }


def _job(result: Result, container: str) -> dict[str, Any]:
    told = result.model_dump(
        mode="json",
        include={"id", "batch", "status", "verdict", "score", "exit_code", "attempts", "error", "trigger"},
        exclude_none=True,
    )
    files = [{"path": one.path, "blob": one.blob, "bytes": one.bytes} for one in result.files[:MOST_FILES]]
    return {
        **told,
        "result_blob": f"{container}/{result_blob(result.batch, result.id)}",
        **({"files": files} if files else {}),
        **_metadata(result.metadata),
    }


def _metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """The job's own, unless that is large: it stands in the result."""
    is_small = len(json.dumps(metadata)) <= MOST_METADATA
    return {"metadata": metadata} if metadata and is_small else {}


def _properties(document: Mapping[str, Any], told: Mapping[str, str | None]) -> dict[str, str]:
    trace = {name: document[name] for name in ("traceparent", "tracestate") if name in document}
    return {"type": document["type"], **{name: text for name, text in told.items() if text}, **trace}
