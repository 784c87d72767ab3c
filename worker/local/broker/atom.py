"""The documents of Service Bus's management API: Atom entries and feeds, and errors, as Azure writes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring

ATOM: Final = "http://www.w3.org/2005/Atom"
SERVICE_BUS: Final = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS: Final = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
NO_LIMIT: Final = "P10675199DT2H48M5.4775807S"  # the longest time .NET can say: Service Bus's word for never

Value = str | int | float | bool | Element


@dataclass(frozen=True, slots=True)
class Entry:
    """One entity: its name, the path of its address, and what describes it."""

    title: str
    path: str
    description: Element


def described(kind: str, fields: Iterable[tuple[str, Value]], namespace: str = SERVICE_BUS) -> Element:
    """Return an element with these fields, in their order."""
    element = Element(f"{{{SERVICE_BUS}}}{kind}")
    for name, value in fields:
        if isinstance(value, Element):
            element.append(value)
        else:
            SubElement(element, f"{{{namespace}}}{name}").text = _text(value)
    return element


def duration(seconds: float | None) -> str:
    """Return a time in the words of XML; None is without end."""
    return NO_LIMIT if seconds is None else f"PT{seconds:.7f}".rstrip("0").rstrip(".") + "S"


def entry_document(entry: Entry, base: str) -> bytes:
    """Return the answer that is one entity."""
    return _rendered(_entry(entry, base))


def feed_document(title: str, entries: Sequence[Entry], base: str, next_link: str | None = None) -> bytes:
    """Return the answer that lists entities; the next page, if there is one, is at `next_link`."""
    feed = Element(f"{{{ATOM}}}feed")
    _add(feed, "title", title, type="text")
    _add(feed, "id", base)
    _add(feed, "link", None, rel="self", href=base)
    if next_link:
        _add(feed, "link", None, rel="next", href=next_link)
    feed.extend(_entry(entry, base) for entry in entries)
    return _rendered(feed)


def error_document(code: int, detail: str) -> bytes:
    """Return the answer that tells an error."""
    error = Element("Error")
    SubElement(error, "Code").text = str(code)
    SubElement(error, "Detail").text = detail
    return _rendered(error)


def _entry(entry: Entry, base: str) -> Element:
    element = Element(f"{{{ATOM}}}entry")
    _add(element, "id", f"{base}/{quote(entry.path)}")
    _add(element, "title", entry.title, type="text")
    content = _add(element, "content", None, type="application/xml")
    content.append(entry.description)
    return element


def _add(parent: Element, name: str, text: str | None, **attributes: str) -> Element:
    element = SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    element.text = text
    return element


def _rendered(element: Element) -> bytes:
    return bytes(tostring(element, encoding="utf-8", xml_declaration=True))


def _text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
