"""Logs are lines that no content of a message can break or make a terminal act on."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import logging, sys, structlog
from worker.log import configure
configure({log_format!r}, {level!r})
log = structlog.get_logger()
nasty = "a\\nb\\r\\x1b[31mred\\x07\\u2028\\u202e\\ud800\\x00"
log.info("job_completed", reason=nasty, nested={{"reason": nasty}}, seconds=1.5, items=[nasty])
logging.getLogger("azure.servicebus").warning("from the SDK %s", nasty)
logging.getLogger("azure.core.pipeline.policies.http_logging_policy").warning("Request URL: ?sig=hush")
logging.getLogger("httpx").info("POST /executions?identifier=hush")
log.info("long", reason="x" * 100_000)
try:
    raise ValueError(nasty)
except ValueError:
    log.exception("job_failed_unexpectedly")
    logging.getLogger("asyncio").exception("callback failed")
log.debug("detail")
"""


def logged(log_format: str, level: str = "INFO") -> str:
    script = SCRIPT.format(log_format=log_format, level=level)
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-W", "error", "-c", script], capture_output=True, check=True, timeout=30
    )
    assert done.stdout == b""
    return done.stderr.decode()


def test_json_logs_are_one_object_a_line_whatever_is_in_them() -> None:
    text = logged("json")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"].partition(" ")[0] for line in lines] == [
        "job_completed",
        "from",
        "long",
        "job_failed_unexpectedly",
        "callback",
    ]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    assert [line.get("logger") for line in lines] == [None, "azure.servicebus", None, None, "asyncio"]
    assert lines[0]["reason"].isprintable()
    assert "\\x1b[31mred" in lines[0]["reason"]
    assert all("ValueError" in line["exception"] for line in lines[3:])


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_control_character_and_no_secret_gets_through(log_format: str) -> None:
    text = logged(log_format, "DEBUG")
    assert all(character.isprintable() or character in "\n\t" for character in text)
    assert "hush" not in text
    assert "detail" in text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_long_field_is_cut(log_format: str) -> None:
    assert len(logged(log_format)) < 20_000


def test_what_a_message_says_does_not_begin_a_line_of_its_own() -> None:
    begins = logged("console").splitlines()
    assert not any(line.startswith(("b\\", "b\r")) for line in begins)
    assert sum("job_completed" in line for line in begins) == 1
