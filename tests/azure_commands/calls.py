"""All calls that are told, against all tables: the CLI's, its extension's and azd's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.azure_commands import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.azure_commands.sources import Told
    from tests.azure_commands.table import Table, Usage

HERE = Path(__file__).parent
AZ = HERE / "az.json"
EXTENSION = HERE / "az-containerapp.json"
AZD = HERE / "azd.json"


def stored() -> tuple[Table, Table]:
    """What is stored of az, with its extension, and of azd."""
    return table.merged(table.load(AZ), table.load(EXTENSION)), table.load(AZD)


def mistakes(told: Iterable[Told], az: Mapping[str, Usage], azd: Mapping[str, Usage]) -> list[str]:
    """A line for each thing that is wrong with a call."""
    return [
        f"{call.where}: {' '.join(word.text for word in call.words[:5])}: {problem}"
        for call in told
        for problem in table.problems(call.words, az if call.words[0].text == "az" else azd, whole=call.whole)
    ]


def candidates(told: Iterable[Told]) -> list[str]:
    """What may be the names of the commands that az is called with: all its words before the first option."""
    return [name for call in told if call.words[0].text == "az" for name in _prefixes(call)]


def _prefixes(call: Told) -> Iterable[str]:
    words: list[str] = []
    for word in call.words[1:]:
        if word.text.startswith("-"):
            return
        words.append(word.text)
        yield " ".join(words)


def needed(told: Sequence[Told], az: Mapping[str, Usage]) -> Table:
    """Of each command that is called only what the calls use and what it requires, each option once."""
    parts = [part for call in told if call.words[0].text == "az" and (part := table.used(call.words, az))]
    whole = table.merged(*({name: usage} for name, usage in parts))
    return {
        name: table.Usage(tuple(sorted(usage.options, key=lambda option: option.names)), usage.operands)
        for name, usage in whole.items()
    }
