"""The attack list, run in a real session before the pool serves anyone."""

import json
import socket
import tempfile
from pathlib import Path

from worker.local.pool.errors import StartError
from worker.local.pool.sandbox import environment
from worker.local.pool.session import Session

SECONDS = 10.0
LONGEST_REPORT = 100_000


async def attack(session: Session) -> None:
    """Try to get out of the session.

    Raises:
        StartError: an attack succeeded, or the list did not run to its end; the text names what.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.NamedTemporaryFile() as planted:
        targets = {
            "port": listener.getsockname()[1],
            "planted": planted.name,
            "environment": [*environment(0, home="", data="")],
        }
        outcome = await session.execute(_script(targets), timeout_seconds=SECONDS, max_length=LONGEST_REPORT)
    if not outcome.succeeded:
        raise StartError(f"the sandbox's self-test did not run: {outcome.stderr}")
    breaches = json.loads(outcome.stdout)
    if breaches:
        raise StartError(f"the sandbox does not hold here; in a session one can {', '.join(breaches)}")


def _script(targets: dict[str, object]) -> str:
    probes = (Path(__file__).parent / "attacks.js").read_text()
    return probes.replace("TARGETS", json.dumps(targets), 1)
