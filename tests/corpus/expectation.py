"""What a corpus expects: as the case that a program is graded with, and of its result."""

from __future__ import annotations

import base64
from typing import Any

_ENDED_BY_A_LIMIT = {
    "memory": {"out_of_memory", "timed_out"},
    "output": {"output_limit", "out_of_memory", "timed_out"},
    "signal": set[str](),
}


_VERDICTS = {
    "succeeded": "accepted",
    "failed": "runtime_error",
    "timed_out": "time_limit",
    "out_of_memory": "memory_limit",
    "output_limit": "output_limit",
}


def case(expect: dict[str, Any]) -> dict[str, Any]:
    """The program is right if it ends well and prints what is known of its output, if anything is."""
    if "stdout" not in expect:
        return {"name": "ends well"}
    return {"name": "output", "expect": {"stdout": expect["stdout"]}, "compare": expect["compare"]}


def differences(expect: dict[str, Any], result: dict[str, Any] | None) -> list[str]:
    """What differs, in words; nothing when the result is as expected."""
    if result is None:
        return ["no result"]
    found = []
    if result["status"] not in expect["status"]:
        found.append(f"status {result['status']}, not {' or '.join(expect['status'])}{_error(result)}")
    elif "reason" in expect and not _ended_for(expect["reason"], result):
        found.append(f"status {result['status']} without a signal, not ended for {expect['reason']}")
    elif _is_fixed(expect, result):
        found += _field("exit_code", expect, result) + _field("signal", expect, result)
        found += _stdout(expect, result)
    return found + _verdict(expect, result)


def _verdict(expect: dict[str, Any], result: dict[str, Any]) -> list[str]:
    """A verdict that is fixed; else the one that the status stands for."""
    wanted = expect.get("verdict") if expect["status"] == ["succeeded"] else None
    wanted = wanted or _VERDICTS.get(result["status"])
    verdict = result.get("verdict")
    return [] if verdict == wanted else [f"verdict {verdict}, not {wanted}"]


def _error(result: dict[str, Any]) -> str:
    error = result.get("error")
    return f" ({error['code']}: {error['message']})" if error else ""


def _ended_for(reason: str, result: dict[str, Any]) -> bool:
    return result["status"] in _ENDED_BY_A_LIMIT[reason] or result.get("signal") is not None


def _is_fixed(expect: dict[str, Any], result: dict[str, Any]) -> bool:
    """Where several statuses are right, exit code and output belong to the one that fits the exit code."""
    if len(expect["status"]) == 1 or "exit_code" not in expect:
        return True
    return (result["status"] == "succeeded") == (expect["exit_code"] == 0) and result["status"] in {
        "succeeded",
        "failed",
    }


def _field(name: str, expect: dict[str, Any], result: dict[str, Any]) -> list[str]:
    if name not in expect or result["status"] in {"out_of_memory", "output_limit"}:
        return []
    return [] if result.get(name) == expect[name] else [f"{name} {result.get(name)}, not {expect[name]}"]


def _stdout(expect: dict[str, Any], result: dict[str, Any]) -> list[str]:
    if expect["status"] == ["failed"]:
        return []  # what stands there is what it should have printed
    if "stdout_base64" in expect:
        expected = base64.b64decode(expect["stdout_base64"])
    elif "stdout" in expect:
        expected = expect["stdout"].encode()
    else:
        return []
    text = result["stdout"]["text"]
    wanted = expected.decode(errors="replace")
    if expect["compare"] == "trimmed":
        is_same = _trimmed(text) == _trimmed(wanted)
    else:
        is_same = text == wanted and result["stdout"]["bytes"] == len(expected)
    if is_same == (expect.get("verdict") != "wrong_answer"):
        return []
    return [f"stdout {text[:60]!r}, {'not ' if not is_same else 'which is wrongly '}{wanted[:60]!r}"]


def _trimmed(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]
