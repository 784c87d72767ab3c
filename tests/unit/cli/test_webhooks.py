"""The command line of webhooks: what it refuses, which events it means, and how it shows them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from worker.cli import main
from worker.cli.undelivered import WantedEvents, document, line
from worker.seen import Seen

EVIL = "\x1b[31m\r\n\u202e"


def event(url: str = "https://Hooks.example/token", event_id: str = "e1", **fields: str) -> Seen:
    properties = {"jsworker-webhook": url, "jsworker-event": event_id}
    moment = datetime(2026, 5, 4, 12, tzinfo=UTC)
    return Seen(7, "e1:0a", body=b"{}", properties=properties, enqueued_at=moment, **fields)  # type: ignore[arg-type] # texts


@pytest.mark.parametrize("name", ["", " list", " replay", " ping"])
def test_every_command_has_help_with_examples(name: str) -> None:
    answer = CliRunner().invoke(main, ["webhooks", *name.split(), "--help"])
    assert answer.exit_code == 0
    assert f"  jsworker webhooks{name}" in answer.output.partition("Examples:")[2]


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--all", "--host", "a.example"]], ids=str)
def test_a_replay_wants_either_a_filter_or_to_be_told_that_all_is_meant(options: list[str]) -> None:
    answer = CliRunner().invoke(main, ["webhooks", "replay", *options])
    assert answer.exit_code == 2
    assert "Give --host or --id, or --all" in answer.output


def test_a_ping_goes_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSWORKER_WEBHOOK_HOSTS", "hooks.example")
    answer = CliRunner().invoke(main, ["webhooks", "ping", "https://hooks.example/"])
    assert answer.exit_code == 2
    assert "JSWORKER_WEBHOOK_SECRET: is required" in answer.output
    monkeypatch.setenv("JSWORKER_WEBHOOK_SECRET", "whsec_" + "QUFB" * 10)
    answer = CliRunner().invoke(main, ["webhooks", "ping", "http://hooks.example/"])
    assert answer.exit_code == 1
    assert "is not of the form https://host/path" in answer.output


@pytest.mark.parametrize(
    ("wanted", "is_meant"),
    [
        (WantedEvents(), True),
        (WantedEvents(host="HOOKS.example."), True),
        (WantedEvents(host="hooks.example", event_id="e1"), True),
        (WantedEvents(host="other.example"), False),
        (WantedEvents(host="hooks.example", event_id="e2"), False),
        (WantedEvents(host="no host"), False),
    ],
    ids=str,
)
def test_events_are_meant_by_host_and_id(wanted: WantedEvents, *, is_meant: bool) -> None:
    assert wanted.takes(event()) is is_meant


def test_a_line_has_the_host_and_not_the_rest_of_the_url() -> None:
    text = line(event(reason="webhook_gone", description="the receiver answered 410"))
    assert "hooks.example " in text
    assert "webhook_gone: the receiver answered 410" in text
    assert "token" not in text
    assert document(event())["url"] == "https://Hooks.example/token"


def test_what_messages_say_is_shown_escaped_and_never_an_error() -> None:
    evil = event(url=EVIL, event_id=EVIL, reason=EVIL, description=EVIL * 900)
    assert line(evil).isprintable()
    assert len(line(evil)) < 3000
    assert json.loads(json.dumps(document(evil)))["url"] == EVIL
    assert line(Seen(1, "m")).isprintable()
    assert document(Seen(1, "m"))["event_id"] is None
