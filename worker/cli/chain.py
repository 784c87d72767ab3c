"""Chains in lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.following import Near, Node, Taken

SHOWN_JOBS = 10


def tree(node: Node, indent: str = "") -> Iterator[str]:
    """A chain in lines: jobs with their states, and below each what follows it."""
    yield f"{indent}{node.reference}  {node.state}"
    for each in node.steps:
        yield from _step(each, indent + "  ")


def _step(each: Taken, indent: str) -> Iterator[str]:
    name = f"{indent}{each.step.step}:"
    yield f"{name} {_taken(each)}"
    shown = each.jobs if len(each.jobs) <= SHOWN_JOBS else []
    for node in [*shown, *([each.join] if each.join else [])]:
        yield from tree(node, indent + "  ")


def told(each: Taken) -> str:
    """A step in a line: how many jobs it came to, and how far they are."""
    counts = ", ".join(f"{count} {state}" for state, count in sorted(each.counts.items()))
    noun = "job" if len(each.jobs) == 1 else "jobs"
    return f"{len(each.jobs)} {noun}" + (f": {counts}" if counts else "")


def listed(nodes: Sequence[Node]) -> str:
    """The names of jobs, as many as a line takes."""
    more = f" and {len(nodes) - SHOWN_JOBS} more" if len(nodes) > SHOWN_JOBS else ""
    return ", ".join(node.reference for node in nodes[:SHOWN_JOBS]) + more


def lines_of(near: Near) -> Iterator[tuple[str, str]]:
    """What stands before and after a job: a topic and a sentence, line by line."""
    if near.made_by:
        index = near.made_by.index
        which = "" if index is None else f", number {index} of {near.made_by.of}"
        yield "after", f"{near.made_by.parent}, by its step {near.made_by.step}{which}"
        if near.made_by.root != near.made_by.parent:
            yield "", f"the chain begins with {near.made_by.root}"
    for each in near.steps:
        yield "then", f"{each.step.step}: {_taken(each)}"
        if each.join and each.join.status is None:
            reason = f"waits for {listed(each.waiting)}" if each.waiting else "is about to run"
            yield "", f"{each.join.reference} {reason}"
        elif each.join:
            yield "", f"{each.join.reference}  {each.join.state}"


def document_of(near: Near) -> dict[str, Any]:
    """The same for programs."""
    return {
        "made_by": near.made_by.model_dump() if near.made_by else None,
        "steps": [
            {
                **each.step.model_dump(include={"step", "on", "started", "join"}),
                "error": each.step.error.model_dump() if each.step.error else None,
                "jobs": dict(each.counts),
                "waiting": [node.reference for node in each.waiting],
                "join_state": each.join.state if each.join else None,
            }
            for each in near.steps
        ],
        "awaited": [node.reference for node in near.awaited],
    }


def _taken(each: Taken) -> str:
    if not each.step.started:
        return f"not taken (on {each.step.on})"
    if each.step.error:
        return f"{each.step.error.code}: {each.step.error.message}"
    return told(each)
