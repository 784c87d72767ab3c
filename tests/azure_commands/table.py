"""Which commands a program has, with which options, and what is wrong with a call of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.azure_commands.shell import Word


@dataclass(frozen=True)
class Option:
    """An option with all its names; `values` is none, one, maybe (none or one), some (none or more), many."""

    names: tuple[str, ...]
    values: str = "one"
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Usage:
    """How a command is called; `operands`: how many words belong to no option, at least and at most."""

    options: tuple[Option, ...]
    operands: tuple[int, int] = (0, 0)

    def option(self, name: str) -> Option | None:
        """The option of that name; None when there is none."""
        return next((option for option in self.options if name in option.names), None)


Table = dict[str, Usage]


def problems(words: Sequence[Word], table: Mapping[str, Usage], *, whole: bool = True) -> list[str]:
    """What the program would refuse; nothing that a command needs is missed when it is not told whole."""
    program, *rest = words
    name = _longest(rest, table)
    if name is None:
        spoken = " ".join(word.text for word in rest)
        if not whole and any(known.startswith(spoken + " ") for known in table):
            return []  # a group of commands
        return [f"{program.text} has no command '{spoken}'"]
    return _misuses(rest[len(name.split()) :], table[name], whole=whole and (len(rest) > len(name.split())))


def _longest(words: Sequence[Word], table: Mapping[str, Usage]) -> str | None:
    names = [" ".join(word.text for word in words[:count]) for count in range(len(words), 0, -1)]
    return next((name for name in names if name in table), None)


def _misuses(words: Sequence[Word], usage: Usage, *, whole: bool) -> list[str]:
    found: list[str] = []
    given: set[Option] = set()
    option, values, operands = None, 0, 0
    for word in words:
        name, equals, value = word.text.partition("=")
        if name.startswith("-") and not _is_number(name):
            found += _too_few(option, values)
            option, values = usage.option(name), 0
            if option is None:
                found.append(f"there is no option {name}")
                option = Option((name,), "some")  # what follows it is no further mistake
            given.add(option)
            if equals:
                values = 1
                found += _wrong_choice(option, value, literal=word.literal)
        elif option is not None and _takes_another(option, values):
            values += 1
            found += _wrong_choice(option, word.text, literal=word.literal)
        else:
            operands += 1
    found += _too_few(option, values)
    return found + (_missing(usage, given, operands) if whole else [])


def _missing(usage: Usage, given: set[Option], operands: int) -> list[str]:
    missing = [
        f"{option.names[0]} is required"
        for option in usage.options
        if option.required and option not in given
    ]
    least, most = usage.operands
    if not least <= operands <= most:
        missing.append(f"{operands} words belong to no option; it takes {least} to {most}")
    return missing


def _takes_another(option: Option, values: int) -> bool:
    return option.values in {"many", "some"} or (option.values in {"one", "maybe"} and values == 0)


def _too_few(option: Option | None, values: int) -> list[str]:
    needs_one = option is not None and option.values in {"one", "many"}
    return [f"{option.names[0]} has no value"] if option and needs_one and values == 0 else []


def _wrong_choice(option: Option, value: str, *, literal: bool) -> list[str]:
    if not literal or not option.choices or value.lower() in (choice.lower() for choice in option.choices):
        return []
    return [f"{option.names[0]} cannot be {value}, but: {', '.join(option.choices)}"]


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdigit()


def used(words: Sequence[Word], table: Mapping[str, Usage]) -> tuple[str, Usage] | None:
    """The command that a call is of, with only the options that it uses or needs."""
    name = _longest(words[1:], table)
    if name is None:
        return None
    texts = {word.text.partition("=")[0] for word in words}
    kept = [option for option in table[name].options if option.required or texts & set(option.names)]
    return name, Usage(tuple(kept), table[name].operands)


def merged(*tables: Mapping[str, Usage]) -> Table:
    """One table; options of a command that several have are put together."""
    result: Table = {}
    for table in tables:
        for name, usage in table.items():
            before = result.get(name, Usage((), usage.operands))
            new = [option for option in usage.options if before.option(option.names[0]) is None]
            result[name] = Usage((*before.options, *new), usage.operands)
    return result


def load(path: Path) -> Table:
    """The table that `dump` has written."""
    return {name: _usage(written) for name, written in json.loads(path.read_text())["commands"].items()}


def _usage(written: Mapping[str, Any]) -> Usage:
    least, most = written.get("operands", (0, 0))
    options = [
        Option(
            tuple(names.split("/")),
            said.get("values", "one"),
            said.get("required", False),
            tuple(said.get("choices", ())),
        )
        for names, said in written.get("options", {}).items()
    ]
    return Usage(tuple(options), (least, most))


def dump(table: Mapping[str, Usage], source: str) -> str:
    """JSON for `load`, with what it was made from; what is the default is left out."""
    commands = {name: _written(usage) for name, usage in sorted(table.items())}
    return json.dumps({"source": source, "commands": commands}, indent=1) + "\n"


def _written(usage: Usage) -> dict[str, Any]:
    options = {
        "/".join(option.names): {
            **({"values": option.values} if option.values != "one" else {}),
            **({"required": True} if option.required else {}),
            **({"choices": list(option.choices)} if option.choices else {}),
        }
        for option in usage.options
    }
    operands = {"operands": list(usage.operands)} if usage.operands != (0, 0) else {}
    return {"options": options, **operands}
