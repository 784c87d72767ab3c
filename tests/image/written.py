"""deploy/compose.yaml as it is written, and what the emulator is told: read to be run, and for tests."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.image.container import Confinement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.image.container import Image

DEPLOY = Path(__file__).parents[2] / "deploy"
SECRETS = {"STORAGE_KEY": b64encode(b"any").decode(), "POOL_TOKEN": "any"}
UNITS = {"D": 86400, "H": 3600, "M": 60, "S": 1}


def read_services(values: Mapping[str, str]) -> dict[str, Any]:
    """The services, with these values for the file's variables and any for the others."""
    text = (DEPLOY / "compose.yaml").read_text()
    filled = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda variable: values.get(variable[1], "any"), text)
    services: dict[str, Any] = yaml.safe_load(filled)["services"]
    return services


def command_of(service: Mapping[str, Any], image: Image, arguments: Sequence[str] = ()) -> list[str]:
    """What a service runs; the image's, where it says nothing."""
    given = arguments or service.get("command", image.config["Cmd"])
    return [*service.get("entrypoint", image.entrypoint), *given]


def confinement(service: Mapping[str, Any], network: Path, volumes: Sequence[str] = ()) -> Confinement:
    """What a service is allowed, in this network and with these volumes besides."""
    options = dict(option.replace(":", "=", 1).split("=", 1) for option in service.get("security_opt", ()))
    seccomp = json.loads((DEPLOY / options["seccomp"]).read_text()) if "seccomp" in options else None
    binds = [(*volume.split(":"),) for volume in (*service.get("volumes", ()), *volumes)]
    temporary = [each.partition(":") for each in service.get("tmpfs", ())]
    return Confinement(
        mounts=(
            *(
                {"destination": target, "source": str(DEPLOY / source), "options": ["bind", mode]}
                for source, target, mode in binds
            ),
            *(
                {
                    "destination": to,
                    "type": "tmpfs",
                    "source": "tmpfs",
                    "options": ["nosuid", "nodev", *rest.split(",")],
                }
                for to, _, rest in temporary
            ),
        ),
        network=({"type": "network", "path": str(network)},),
        seccomp=seccomp,
        whole_proc=options.get("systempaths") == "unconfined",
    )


def emulator() -> dict[str, Any]:
    """The one namespace of the Service Bus emulator."""
    told = json.loads((DEPLOY / "compose" / "servicebus-emulator.json").read_text())
    (namespace,) = told["UserConfig"]["Namespaces"]
    return dict(namespace)


def seconds(duration: str) -> int:
    """An ISO 8601 duration of one unit below a month."""
    (number, unit), *more = re.findall(r"(\d+)([DHMS])", duration)
    if more:
        raise ValueError(f"{duration} has several units")
    return int(number) * UNITS[unit]
