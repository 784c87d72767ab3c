"""A webhook's receiver: HTTPS on 127.0.0.1, with a certificate of an authority of its own."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Says:
    """An answer; it stalls for so long before it comes."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    stall_seconds: float = 0


@dataclass(frozen=True)
class Posted:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What has arrived, and what is answered to it: one answer after another, then the last again.

    Attributes:
        port: where it listens.
        authority: the file with the certificate to trust.
        posted: what has arrived, by its order.
        answers: what is still to be answered.
    """

    port: int
    authority: Path
    posted: list[Posted] = field(default_factory=list)
    answers: list[Says] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def url(self, host: str, path: str = "/hook") -> str:
        return f"https://{host}:{self.port}{path}"


@contextmanager
def receiving(
    folder: Path, name: str, answers: Sequence[Says] = (Says(),), *, lasts: timedelta = DAY
) -> Iterator[Receiver]:
    """A receiver whose certificate is for this name and no other, from yesterday on and so long from now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder, name, lasts))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        receiver = Receiver(server.server_port, folder / "authority.pem", answers=list(answers))
        setattr(server, "receiver", receiver)  # noqa: B010 - where handlers find it
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.ending.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    def setup(self) -> None:
        self.request.settimeout(30)
        super().setup()

    def do_POST(self) -> None:
        receiver: Receiver = getattr(self.server, "receiver")  # noqa: B009 - as it was put there
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver.posted.append(Posted(self.path, headers, body))
        answer = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
        receiver.ending.wait(answer.stall_seconds)
        self.send_response(answer.status)
        for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def handle(self) -> None:
        try:
            super().handle()
        except (ssl.SSLError, OSError):
            return  # who posts may hang up at any time

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            return

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the server's
        """Nothing is to be said."""


def _certificate(folder: Path, name: str, lasts: timedelta) -> Path:
    """A file with a key and its certificate; that of the authority lies beside it."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _named("An authority of tests")
    root = (
        _unsigned(authority, authority, authority_key, DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        _unsigned(_named(name), authority, key, lasts)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    (folder / "authority.pem").write_bytes(root.public_bytes(Encoding.PEM))
    chain = folder / "receiver.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(secret + leaf.public_bytes(Encoding.PEM))
    return chain


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + lasts)
    )
