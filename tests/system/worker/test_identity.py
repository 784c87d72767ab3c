"""A worker with no key for the pool signs in with its managed identity, over sockets."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.system.worker.processes import pool, working
from tests.system.worker.services import Services, eventually, program

HEADER = "header-of-the-app"
LIFE_SECONDS = 2


class Identity(ThreadingHTTPServer):
    """The endpoint that App Service gives its apps; its tokens end soon."""

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.token = token
        self.asked: list[tuple[str, str | None]] = []
        self.ends_at = 0

    def last_token_has_ended(self) -> bool:
        return time.time() > self.ends_at


class Answers(BaseHTTPRequestHandler):
    server: Identity

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        self.server.asked.append((query["resource"][0], self.headers.get("X-IDENTITY-HEADER")))
        self.server.ends_at = int(time.time()) + LIFE_SECONDS
        token = {
            "access_token": self.server.token,
            "expires_on": str(self.server.ends_at),
            "resource": query["resource"][0],
            "token_type": "Bearer",
        }
        body = json.dumps(token).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def identity(token: str) -> Iterator[Identity]:
    with Identity(token) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_tokens_of_the_managed_identity_are_renewed_and_one_refusal_is_survived(
    services: Services, batch: str, tmp_path: Path
) -> None:
    with (
        pool(tmp_path, "token-of-the-pool", unauthorized_once=True) as own,
        identity(own.pop("JSWORKER_POOL_TOKEN")) as server,
    ):
        settings = {**services.environment, **own, "JSWORKER_QUEUE": "identity", "IDENTITY_HEADER": HEADER}
        del settings["JSWORKER_POOL_TOKEN"]
        settings["IDENTITY_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}/token"
        with working(settings, tmp_path / "worker.log"):
            for turn in range(2):
                asked = len(server.asked)
                ids = services.send("identity", [program(batch, f"s{turn}-{n}", "") for n in range(2)])
                results = services.results(batch, ids)
                assert {(r["status"], r["attempts"]) for r in results.values()} == {("succeeded", 1)}
                assert len(server.asked) > asked
                eventually(server.last_token_has_ended)
    assert set(server.asked) == {("https://dynamicsessions.io", HEADER)}
    assert "token-of-the-pool" not in (tmp_path / "worker.log").read_text()
