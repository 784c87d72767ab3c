"""The report of a probe, for people (Markdown) and for programs (JSON): nothing in it that is secret."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from worker.doctor.probe import Reply
from worker.doctor.redaction import redacted
from worker.report.text import visible
from worker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from worker.doctor.finding import Finding
    from worker.doctor.probe import Exchange
    from worker.settings import WorkerSettings

VERSION = 1
FACT_CHARS = 600


@dataclass(frozen=True)
class ProbeReport:
    """What a pool answered.

    Attributes:
        at: when, in RFC 3339.
        endpoint: where, redacted.
        api_version: in which version it was asked.
        replies: to the questions, in their order.
    """

    at: str
    endpoint: str
    api_version: str
    replies: tuple[Reply, ...]

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {"version": VERSION, "jsworker": __version__, **asdict(self)}

    def markdown(self) -> str:
        """All of it, for people; what was answered neither acts on a terminal nor is it HTML."""
        return visible("\n".join(self._lines())) + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# What this session pool answered"
        yield ""
        yield f"{self.at}, jsworker {__version__}, {self.endpoint}, api-version {self.api_version}"
        yield ""
        yield "| question | answer |"
        yield "|---|---|"
        yield from (f"| {reply.question} | {_cell(_text(reply.answer))} |" for reply in self.replies)
        for reply in self.replies:
            yield from ("", f"## {reply.question}", "", _text(reply.answer))
            yield from _facts(reply.facts)
            yield from (line for exchange in reply.exchanges for line in _exchange(exchange))


def report_of(
    settings: WorkerSettings, at: str, replies: Sequence[Reply], found: Iterable[Finding]
) -> ProbeReport:
    """The report of what the pool of the settings answered, and of what a check of its size found."""
    full = [_full(finding) for finding in found if finding.check == "pool-size"]
    endpoint = redacted(settings.pool_endpoint)
    return ProbeReport(at, endpoint, settings.pool_api_version, (*replies, *full))


def _full(finding: Finding) -> Reply:
    return Reply("full-pool", "What is answered when the pool is full?", finding.message, dict(finding.facts))


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts:
        yield ""
        yield from (f"- {name}: `{_code(json.dumps(value))[:FACT_CHARS]}`" for name, value in facts.items())


def _exchange(exchange: Exchange) -> Iterator[str]:
    yield from ("", f"{exchange.call}: **{exchange.status}** after {exchange.seconds:g} s", "", "```")
    yield from (f"{name}: {value}" for name, value in exchange.headers.items())
    yield from (_code(exchange.body) or "(no body)", "```")


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(text: str) -> str:
    return text.replace("`", "'")
