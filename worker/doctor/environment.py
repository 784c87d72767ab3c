"""The settings as they are given: all that is wrong with them, and what looks like one and is none."""

from __future__ import annotations

import difflib
import re
from shlex import quote
from typing import TYPE_CHECKING

from worker.doctor.finding import Finding
from worker.setting_groups import PREFIX
from worker.settings import SettingsError, WorkerSettings, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

KNOWN = frozenset(PREFIX + name.upper() for name in WorkerSettings.model_fields)
_POOL = re.compile(r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/.*?sessionPools/([^/?#]+)", re.IGNORECASE)
_NAMESPACES = "az servicebus namespace list --query '[].name' --output tsv"
_CHOSEN = "Set it to one of the values that docs/settings.md has for it"


def examine_environment(environ: Mapping[str, str]) -> tuple[WorkerSettings | None, list[Finding]]:
    """The worker's settings, None if they cannot be used, and what is to be said of the variables."""
    given = [name for name in sorted(environ) if name.upper().startswith(PREFIX)]
    strays = [name for name in given if name.upper() not in KNOWN]
    try:
        settings = load(WorkerSettings)
    except SettingsError as error:
        problems = list(_problems(error, environ))
        named = {problem.facts["setting"] for problem in problems}  # and so is what was meant to be it
        return None, problems + [_unknown(name) for name in strays if _nearest(name) not in named]
    well = Finding("settings", "settings", "ok", f"all can be used ({len(given) - len(strays)} are set)")
    return settings, [well, *map(_unknown, strays)]


def pool_command(query: str, near: str = "") -> str:
    """The command that shows a property of the pool, with the names that are found in an address of it."""
    return f"az containerapp sessionpool show {pool_names(near)} --query properties.{query} --output tsv"


def pool_change(option: str, value: object, near: str) -> str:
    """The command that sets one thing of the pool anew."""
    return f"az containerapp sessionpool update {pool_names(near)} {option} {value}"


def pool_names(near: str) -> str:
    """The options by which the pool is named, as far as an address of it tells."""
    found = _POOL.search(near)
    name, group = (quote(found[3]), quote(found[2])) if found else ("POOL", "GROUP")
    return f"--name {name} --resource-group {group}"


def _problems(error: SettingsError, environ: Mapping[str, str]) -> Iterator[Finding]:
    for problem in error.problems or (str(error),):
        name = problem.partition(":")[0]
        yield Finding("settings", "settings", "failed", problem, _remedy(name, environ), {"setting": name})


def _remedy(name: str, environ: Mapping[str, str]) -> str:
    """What to set, best by a command that reads it."""
    misspelled = [given for given in environ if given not in KNOWN and _nearest(given) == name]
    if misspelled:
        return f"Rename {misspelled[0]}, which is set, to {name}"
    near = environ.get(f"{PREFIX}POOL_ENDPOINT", "")
    if name == f"{PREFIX}SERVICEBUS_NAMESPACE":
        return f"export {name}=NAME.servicebus.windows.net; the names: {_NAMESPACES}"
    queries = {
        f"{PREFIX}POOL_ENDPOINT": pool_command("poolManagementEndpoint", near),
        f"{PREFIX}MAX_SESSIONS": pool_command("scaleConfiguration.maxConcurrentSessions", near),
        f"{PREFIX}STORAGE_ACCOUNT_URL": "az storage account show --name ACCOUNT "
        "--query primaryEndpoints.blob --output tsv",
    }
    return f'export {name}="$({queries[name]})"' if name in queries else _CHOSEN


def _unknown(name: str) -> Finding:
    nearest = _nearest(name)
    return Finding(
        "unknown-setting",
        "settings",
        "warning",
        f"{name} is no setting; nothing reads it",
        f"Rename it to {nearest}" if nearest else f"unset {quote(name)}",
        {"variable": name, "nearest": nearest},
    )


def _nearest(name: str) -> str | None:
    return _first(difflib.get_close_matches(name.upper(), KNOWN, n=1, cutoff=0.85))


def _first(names: Iterable[str]) -> str | None:
    return next(iter(names), None)
