"""Receives webhooks over TLS on this machine, checks their signatures, and prints what they announce.

    python receiver.py FOLDER [--port 8443]

Leaves in the folder: `ca.pem`, the certificate to trust, `secret`, what webhooks are signed with, and
`received.jsonl`, an event a line.
"""

import argparse
import base64
import hashlib
import hmac
import json
import secrets
import ssl
import sys
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MOST_BYTES = 1 << 20
TOLERANCE_SECONDS = 300


class Receiver(BaseHTTPRequestHandler):
    """Takes what is signed with the secret and is not old; an event that comes again counts once."""

    folder: Path
    secret: bytes
    seen: set[str]

    def do_POST(self) -> None:
        """Take an event."""
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(min(length, MOST_BYTES))
        if not self._is_genuine(body):
            self.send_error(401, "the signature does not fit")
            return
        self._take(self.headers["webhook-id"], body)
        self.send_response(204)
        self.end_headers()

    def _is_genuine(self, body: bytes) -> bool:
        name, moment = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "")
        if not moment.isdigit() or abs(time.time() - int(moment)) > TOLERANCE_SECONDS:
            return False
        signed = f"{name}.{moment}.".encode() + body
        digest = hmac.digest(self.secret, signed, hashlib.sha256)
        wanted = "v1," + base64.b64encode(digest).decode()
        given = self.headers.get("webhook-signature", "").split()
        return any(hmac.compare_digest(wanted, one) for one in given)

    def _take(self, name: str, body: bytes) -> None:
        if name in self.seen:
            return
        self.seen.add(name)
        event = json.loads(body)
        with (self.folder / "received.jsonl").open("a") as file:
            file.write(json.dumps(event) + "\n")
        print(f"received {event['type']} of {event['subject']}: {event['data']['status']}", flush=True)

    def log_message(self, *_: object) -> None:
        """Only events are told."""


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8443)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(arguments.folder))
    Receiver.folder, Receiver.secret, Receiver.seen = arguments.folder, _secret(arguments.folder), set()
    with HTTPServer(("127.0.0.1", arguments.port), Receiver) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        print(f"https://localhost:{server.server_port}", flush=True)
        server.serve_forever()


def _secret(folder: Path) -> bytes:
    key = secrets.token_bytes(32)
    (folder / "secret").write_text("whsec_" + base64.b64encode(key).decode())
    return key


def _certificate(folder: Path) -> Path:
    """A certificate for `localhost` that signs itself, with its key; `ca.pem` is without the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(public)
    both = folder / "server.pem"
    both.touch(mode=0o600)
    both.write_bytes(private + public)
    return both


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
