"""What the management API answers to a path: one entity, or a page of entities of a kind."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from worker.local.broker.atom import Entry, entry_document, feed_document
from worker.local.broker.descriptions import (
    queue_description,
    rule_description,
    subscription_description,
    topic_description,
)
from worker.local.broker.entities import Entities
from worker.local.broker.queues import Queue
from worker.local.broker.rules import RuleSettings
from worker.local.broker.topics import Topic

_PAGE: Final = 100  # also the most that Azure lists at a time
_EMPTY: Final = "Publicly Listed Services"


class NotInCatalogueError(Exception):
    """There is no such entity; the text says which."""


def document(entities: Entities, path: str, query: Mapping[str, str], base: str) -> bytes:
    """Return the answer to a path. Like Azure, a queue or topic that is not there is an empty list.

    Raises:
        NotInCatalogueError: there is no such subscription or rule, or nothing to list by that name.
        ValueError: the page asked for is none.
    """
    name = path.strip("/")
    if name.startswith("$"):
        return _page(_listed(entities, name), path, query, base)
    above, below, rest = _parted(name)
    topic = entities.topics.get(above)
    if topic is None or not below:
        entry = _entity(entities, above if not below else name.lower())
        return entry_document(entry, base) if entry else feed_document(_EMPTY, [], base)
    return _below(topic, rest, path, query, base)


def _parted(name: str) -> tuple[str, str, str]:
    """Part `topic/subscriptions/…` at the word, compared without case."""
    above, below, rest = f"{name.lower()}/".partition("/subscriptions/")
    return above.rstrip("/"), below, rest.rstrip("/")


def _listed(entities: Entities, name: str) -> list[Entry]:
    kind = name.lower().removeprefix("$resources/")
    if kind == "queues":
        return [_of_queue(queue) for queue in entities.queues.values()]
    if kind == "topics":
        return [_of_topic(topic) for topic in entities.topics.values()]
    raise NotInCatalogueError(f"nothing is listed at {name}")


def _below(topic: Topic, rest: str, path: str, query: Mapping[str, str], base: str) -> bytes:
    """Answer what lies below a topic's subscriptions: all of them, one of them, or the rules of one."""
    subscriptions = {one.queue.settings.name.rpartition("/")[2].lower(): one for one in topic.subscriptions}
    if not rest:
        entries = [_of_subscription(one.queue) for one in topic.subscriptions]
        return _page(entries, path, query, base)
    name, _, rules = rest.partition("/")
    found = subscriptions.get(name)
    if found is None:
        raise NotInCatalogueError(f"Entity '{topic.settings.name}|{name}' was not found.")
    if not rules:
        return entry_document(_of_subscription(found.queue), base)
    return _rules(found.rules, rules.removeprefix("rules").lstrip("/"), path, query, base)


def _rules(rules: Iterable[RuleSettings], name: str, path: str, query: Mapping[str, str], base: str) -> bytes:
    entries = [Entry(rule.name, f"{path.strip('/')}/{rule.name}", rule_description(rule)) for rule in rules]
    if not name:
        return _page(entries, path, query, base)
    for entry in entries:
        if entry.title.lower() == name:
            return entry_document(entry, base)
    raise NotInCatalogueError(f"Rule '{name}' was not found.")


def _page(entries: Sequence[Entry], path: str, query: Mapping[str, str], base: str) -> bytes:
    skip, top = int(query.get("$skip", 0)), min(int(query.get("$top", _PAGE)), _PAGE)
    if skip < 0 or top < 1:
        raise ValueError(f"$skip={skip} and $top={top} are no page")
    after = skip + top
    rest = urlencode({"$skip": after, "$top": top}) if after < len(entries) else None
    return feed_document(path.strip("/"), entries[skip:after], base, rest and f"{base}{path}?{rest}")


def _entity(entities: Entities, name: str) -> Entry | None:
    if queue := entities.queues.get(name):
        return _of_queue(queue)
    topic = entities.topics.get(name)
    return _of_topic(topic) if topic else None


def _of_queue(queue: Queue) -> Entry:
    return Entry(queue.settings.name, queue.settings.name, queue_description(queue))


def _of_subscription(queue: Queue) -> Entry:
    address = queue.settings.name
    return Entry(address.rpartition("/")[2], address, subscription_description(queue))


def _of_topic(topic: Topic) -> Entry:
    settings = topic.settings
    return Entry(settings.name, settings.name, topic_description(settings, topic.counts()))
