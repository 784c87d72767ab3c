"""What exporters complain about reaches the worker's log, seldom and without secrets."""

import logging
import uuid

import pytest
import structlog

from worker.telemetry.complaints import MOST, PAUSE_SECONDS, Complaints, heard

EXPORTER = "opentelemetry.exporter.otlp.proto.http"


def test_of_many_complaints_the_first_is_told_and_the_others_are_counted() -> None:
    time = [1000.0]
    with structlog.testing.capture_logs() as events, heard(Complaints(clock=lambda: time[0])):
        for _ in range(5):
            logging.getLogger(EXPORTER).warning("no answer from %s", "there")
        time[0] += PAUSE_SECONDS
        logging.getLogger(EXPORTER).error("refused")
    assert [(event["event"], event["reason"], event["count"], event["of"]) for event in events] == [
        ("telemetry_troubled", "no answer from there", 1, EXPORTER),
        ("telemetry_troubled", "refused", 5, EXPORTER),
    ]


@pytest.mark.parametrize(
    ("said", "told"), [("failed", "failed: OSError('no way to …')"), ("x" * 600, "x" * MOST)]
)
def test_an_exception_is_told_in_a_line_without_secrets_and_not_at_length(said: str, told: str) -> None:
    key = str(uuid.uuid4())
    with structlog.testing.capture_logs() as events, heard(Complaints([key])):
        logger = logging.getLogger("azure.monitor.opentelemetry.exporter")
        logger.error(said, exc_info=OSError(f"no way to {key}"))
    assert [event["reason"] for event in events] == [told]


def test_the_loggers_are_as_before_when_it_is_over() -> None:
    logger = logging.getLogger("opentelemetry")
    before = (list(logger.handlers), logger.propagate)
    with heard(Complaints()):
        assert not logger.propagate
    assert (list(logger.handlers), logger.propagate) == before
