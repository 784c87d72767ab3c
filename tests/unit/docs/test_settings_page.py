"""docs/settings.md names every setting once, with the default that it has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.pages import ROOT
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ROW = re.compile(r"^\| (?P<names>`[A-Z_]+`(?:, `[A-Z_]+`)*) \| (?P<defaults>[^|]*?) *\|", re.MULTILINE)
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20}


def documented() -> list[tuple[str, str]]:
    """Each setting with its default as written; a row may have several of both."""
    found: list[tuple[str, str]] = []
    for row in ROW.finditer((ROOT / "docs" / "settings.md").read_text("utf-8")):
        names = re.findall(r"[A-Z_]+", row["names"])
        defaults = row["defaults"].split(", ") if len(names) > 1 else [row["defaults"]]
        found += zip(names, defaults, strict=True)
    return found


DOCUMENTED = documented()


def written(value: object) -> str:
    """A default as the page writes it."""
    match value:
        case bool():
            return "on" if value else "off"
        case str():
            return f"`{value}`"
        case tuple():
            return f"`{','.join(value)}`"
        case _:
            return f"{value:g}" if isinstance(value, float) else str(value)


def has_own(field: FieldInfo) -> bool:
    return not field.is_required() and field.default_factory is None and field.default not in (None, ())


def in_bytes(text: str) -> str:
    number, _, unit = text.partition(" ")
    return str(int(number) * UNITS[unit]) if unit in UNITS else text


def test_every_setting_is_there_once() -> None:
    assert sorted(name for name, _ in DOCUMENTED) == sorted(
        name.upper() for name in WorkerSettings.model_fields
    )


@pytest.mark.parametrize(("name", "default"), DOCUMENTED)
def test_its_default_is_the_one_it_has_or_words_for_how_it_is_found(name: str, default: str) -> None:
    field = WorkerSettings.model_fields[name.lower()]
    if has_own(field):
        assert in_bytes(default).partition(", or ")[0] == written(field.default)
    else:
        assert (default == "required") == field.is_required()
        assert not re.fullmatch(r"[0-9.]+( \w+)?|on|off", default)
