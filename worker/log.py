"""Structured logs: past-tense facts with fields, one JSON object a line, nothing of them interpreted."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Literal

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

MAX_FIELD = 2000


def configure(log_format: Literal["json", "console"], level: str) -> None:
    """Send all logs of the process to stderr in one format; the SDKs' own only from warnings on."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        bound_fields,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for quiet in ("azure.servicebus._pyamqp", "azure.core.pipeline"):
        logging.getLogger(quiet).setLevel(logging.ERROR)


def bound_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Cut long fields and escape control characters, which a console would act upon.

    An exception keeps its end and its lines, indented: what a message says cannot pass for a line of the log.
    """
    for key, value in event.items():
        if key == "exception" and isinstance(value, str):
            event[key] = _printable(value[-MAX_FIELD:], keep="\n\t").replace("\n", "\n  ")
        elif isinstance(value, str) and (len(value) > MAX_FIELD or not value.isprintable()):
            event[key] = _printable(value[:MAX_FIELD])
    return event


def _printable(text: str, keep: str = "") -> str:
    return "".join(c if c.isprintable() or c in keep else f"\\x{ord(c):02x}" for c in text)
