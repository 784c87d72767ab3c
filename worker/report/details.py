"""What a report tells of one submission: bounded, made visible, in values that JSON and templates take."""

from __future__ import annotations

from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from worker.report.text import counted, number, printable, seconds, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TEXT_CHARS = 3000
ACCEPTED_CHARS = 400  # of what needs no explanation
MESSAGE_CHARS = 1000
_LIMITS = {
    "time_limit": "It was stopped at its time limit.",
    "memory_limit": "It was stopped at its memory limit.",
    "output_limit": "It was stopped at its output limit.",
}
_STATUS_LIMITS = {"timed_out": "time_limit", "out_of_memory": "memory_limit", "output_limit": "output_limit"}


class Room:
    """How many characters there still are for the texts of one submission."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, text: str, most: int) -> tuple[str, bool]:
        """The beginning of a text, made visible, and whether that is not all of it."""
        most = max(0, min(most, self._left))
        shown = visible(text[: most + 1])[:most]
        self._left -= len(shown)
        return shown, len(shown) < len(text)


def details(result: dict[str, Any], room: Room, *, hidden: bool) -> dict[str, Any]:
    """What is told of a submission; of hidden cases only name, verdict and points, unless ``hidden``.

    What has failed is given room first.
    """
    cases = result.get("cases") or ()
    told: dict[str, Any] = {"facts": list(_facts(result))}
    if message := _message(result, cases, hidden=hidden):
        told["message"] = room.take(message, MESSAGE_CHARS)[0]
    in_order = sorted(range(len(cases)), key=lambda at: cases[at]["verdict"] == "accepted")
    of_cases = {at: _case(cases[at], room, hidden=hidden) for at in in_order}
    told["cases"] = [of_cases[at] for at in range(len(cases))]
    return told if cases else told | _of_its_run(result, room)


def _case(case: dict[str, Any], room: Room, *, hidden: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": printable(case["name"]),
        "verdict": case["verdict"],
        "points": f"{number(case['points'])} / {number(case['of'])}",
    }
    if case.get("hidden"):
        told["hidden"] = True
    if case.get("hidden") and not hidden:
        return told
    told["facts"] = list(_facts(case))
    if limit := _LIMITS.get(case["verdict"]):
        told["limit"] = limit
    if message := case.get("message"):
        told["message"] = room.take(message, MESSAGE_CHARS)[0]
    if diff := case.get("diff"):
        text, cut = room.take(diff, TEXT_CHARS)
        told |= {"diff": difference(text), "diff_cut": cut}
    accepted = case["verdict"] == "accepted"
    return told | _streams(case, room, ACCEPTED_CHARS if accepted else TEXT_CHARS)


def _of_its_run(result: dict[str, Any], room: Room) -> dict[str, Any]:
    limit = _LIMITS.get(_STATUS_LIMITS.get(result["status"], ""))
    return ({"limit": limit} if limit else {}) | _streams(result, room, TEXT_CHARS)


def _streams(part: dict[str, Any], room: Room, most: int) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in ("stdout", "stderr"):
        stream = part.get(name) or {}
        stream = {"text": stream} if isinstance(stream, str) else stream
        if stream.get("text") or stream.get("truncated"):
            text, cut = room.take(stream.get("text", ""), most)
            told[name] = {"text": text}
            if cut or stream.get("truncated"):
                told[name]["cut"] = _cut_note(stream, len(text))
    return told


def _cut_note(stream: dict[str, Any], shown: int) -> str:
    size = max(stream.get("bytes") or 0, len(stream.get("text", "").encode("utf-8", "replace")))
    blob = f"; all that was kept is in {printable(stream['blob'])}" if stream.get("blob") else ""
    return f"Cut: the first {counted(shown, 'character')} of {counted(size, 'byte')}{blob}."


def _facts(part: dict[str, Any]) -> Iterator[str]:
    duration = part.get("duration_ms") or (part.get("timings") or {}).get("execute_ms")
    if duration is not None:
        yield seconds(duration)
    if part.get("signal"):
        yield f"ended by {printable(part['signal'])}"
    elif part.get("exit_code") is not None:
        yield f"exit code {part['exit_code']}"
    if part.get("attempts", 1) > 1:
        yield f"{part['attempts']} attempts"


def _message(result: dict[str, Any], cases: Sequence[dict[str, Any]], *, hidden: bool) -> str | None:
    """The result's error, unless it is that of a case, which has its own words, or tells of a hidden one."""
    error = result.get("error") or {}
    message: str | None = error.get("message")
    at = (error.get("field") or "").removeprefix("cases.").partition(".")[0]
    if message and at.isdecimal() and int(at) < len(cases):
        case = cases[int(at)]
        return None if case.get("hidden") and not hidden else f"{case['name']}: {message}"
    return message


def difference(diff: str) -> list[list[str]]:
    """The lines of a diff: a kind, then the text in three parts, the second of which is what differs.

    Kinds are ``-`` for what was expected, ``+`` for what came, ``@`` for headings, and a space.
    """
    heading, *body = diff.split("\n")
    if "(-" not in heading:
        return [[" ", line, "", ""] for line in (heading, *body)]
    lines = [_line(line) for line in body]
    runs = [list(run) for _, run in groupby(lines, key=itemgetter(0))]
    for run, following in pairwise(runs):
        if (run[0][0], following[0][0]) == ("-", "+") and len(run) == len(following):
            for first, second in zip(run, following, strict=True):
                _mark(first, second)
    return [["@", heading, "", ""], *lines]


def _line(line: str) -> list[str]:
    if line.startswith("@@"):
        return ["@", line, "", ""]
    return [line[0], line[1:], "", ""] if line[:1] in {"-", "+", " "} else [" ", line, "", ""]


def _mark(first: list[str], second: list[str]) -> None:
    """Set apart what differs between two lines that have something in common."""
    one, other = first[1], second[1]
    begin = _alike(one, other)
    end = _alike(one[begin:][::-1], other[begin:][::-1])
    if begin or end:
        for line, text in ((first, one), (second, other)):
            line[1:] = [text[:begin], text[begin : len(text) - end], text[len(text) - end :]]


def _alike(one: str, other: str) -> int:
    """How many characters at the beginning are the same."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
