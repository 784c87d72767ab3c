"""A queue that a worker takes jobs from, with its weight, and how the settings name several of them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

MOST_LANES = 8
MOST_WEIGHT = 100
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?")
_SUBSCRIPTION = re.compile(r"(.+)/subscriptions/([^/]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Lane:
    """A queue, or a subscription of a topic, named ``topic/Subscriptions/name``."""

    name: str
    weight: int = 1

    @property
    def subscription(self) -> tuple[str, str] | None:
        """The names of topic and subscription; None for a queue."""
        return subscription_of(self.name)


def subscription_of(name: str) -> tuple[str, str] | None:
    """The topic and the subscription that a name stands for; None when it is a queue's."""
    found = _SUBSCRIPTION.fullmatch(name)
    return (found[1], found[2]) if found else None


def parse_lanes(text: str) -> tuple[Lane, ...]:
    """Read ``urgent:4,jobs``: names with weights from 1 to 100, 1 if none is given; at most 8 of them.

    Raises:
        ValueError: with all that is wrong.
    """
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    problems = [problem for entry in entries if (problem := _problem(entry))]
    names = [entry.partition(":")[0].strip() for entry in entries]
    twice = [name for name, count in Counter(map(str.lower, names)).items() if count > 1]
    problems += [f"{name!r} is named twice" for name in twice]
    if not entries:
        problems.append("names no queue; write name:weight, with commas between them")
    elif subscription_of(names[0]):
        problems.append("the first must be a queue: it gets the copies of what subscriptions bring")
    if len(entries) > MOST_LANES:
        problems.append(f"{len(entries)} queues are more than {MOST_LANES}")
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(Lane(name, _weight(entry) or 1) for name, entry in zip(names, entries, strict=True))


def first_name(text: str) -> str:
    """The name of the first entry, be the others right or wrong; empty when there is none."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    return entries[0].partition(":")[0].strip() if entries else ""


def _problem(entry: str) -> str | None:
    name, colon, weight = (part.strip() for part in entry.partition(":"))
    if not _NAME.fullmatch(name):
        return f"{name!r} is no name of a queue"
    if colon and _weight(entry) is None:
        return f"the weight of {name!r} is {weight!r}, not a whole number from 1 to {MOST_WEIGHT}"
    return None


def _weight(entry: str) -> int | None:
    weight = entry.partition(":")[2].strip()
    is_number = re.fullmatch(r"[0-9]{1,3}", weight) and 1 <= int(weight) <= MOST_WEIGHT
    return int(weight) if is_number else None
