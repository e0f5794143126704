"""The management boards of the nodes: what a fence agent speaks to, as Redfish (DMTF DSP0266) has it, and what takes the power.

``python -m lab.board PORT PASSWORD_FILE CERTIFICATE NODE=RECORD...`` serves them until it is killed. A node has power while the
process in its record runs. Of all that Redfish can do there is what `fence_redfish` asks for, and of the resets that which ends
a machine.
"""

import base64
import datetime
import hmac
import json
import secrets
import ssl
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lab import process
from lab.machine import BOARD_PORT

SYSTEMS = "/redfish/v1/Systems"
RESET = "Actions/ComputerSystem.Reset"
USER = "saltern"
FORCE_OFF = "ForceOff"


def system_uri(node: str) -> str:
    """Where the board of a node has its machine."""
    return f"{SYSTEMS}/{node}"


class BoardService:
    """The boards as a process of its own, which outlives this one; their password and certificate are in ``directory``."""

    def __init__(self, directory: Path, port: int, records: Mapping[str, Path]) -> None:
        self._directory, self._port, self._records = directory, port, records
        self._record = directory / "pid"
        self._password = directory / "password"
        self.certificate = directory / "certificate.pem"

    def start(self) -> None:
        """Start it; password and certificate are made once."""
        if process.running(self._record) is not None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        if not self.certificate.exists():
            self._password.write_text(secrets.token_urlsafe(16), encoding="ascii")
            self.certificate.write_bytes(_certificate())
        nodes = [f"{node}={record}" for node, record in self._records.items()]
        argv = [sys.executable, "-m", "lab.board", str(self._port), str(self._password), str(self.certificate), *nodes]
        process.spawn(argv, record=self._record, log=self._directory / "output")

    def stop(self) -> None:
        """End it at once."""
        process.kill(self._record)

    def section(self, address: str) -> dict[str, object]:
        """The agents of all nodes, as the ``fencing`` of a topology has them."""
        common = {
            "ip": address,
            "ipport": BOARD_PORT,
            "username": USER,
            "password": self._password.read_text(encoding="ascii"),
            "ssl_insecure": 1,
        }
        return {
            node: {"agent": "fence_redfish", "options": {**common, "systems_uri": system_uri(node)}, "timeout": 240}
            for node in self._records
        }


def _certificate() -> bytes:
    """A key and a certificate that it has signed itself, as boards have them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "board")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + made.public_bytes(Encoding.PEM)


class Boards(ThreadingHTTPServer):
    """The boards of nodes, on a port of loopback. ``records`` has what knows the process again that is a node's machine."""

    def __init__(self, port: int, password: str, certificate: Path, records: Mapping[str, Path]) -> None:
        super().__init__(("127.0.0.1", port), _Answers)
        self.records = records
        self.authorization = f"Basic {base64.b64encode(f'{USER}:{password}'.encode()).decode()}"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # Each connection shakes hands in the thread that answers it.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def show(self, uri: str) -> dict[str, Any] | None:
        """What there is at a URI."""
        if uri.rstrip("/") == "/redfish/v1":
            return {"Systems": {"@odata.id": SYSTEMS}}
        if uri == SYSTEMS:
            return {"Members": [{"@odata.id": system_uri(node)} for node in self.records]}
        for node, record in self.records.items():
            if uri == system_uri(node):
                return {
                    "Id": node,
                    "PowerState": "Off" if process.running(record) is None else "On",
                    "Actions": {
                        "#ComputerSystem.Reset": {
                            "target": f"{uri}/{RESET}",
                            "ResetType@Redfish.AllowableValues": [FORCE_OFF],
                        }
                    },
                }
        return None

    def reset(self, uri: str, kind: object) -> HTTPStatus:
        """Take the power from the machine whose action that is."""
        for node, record in self.records.items():
            if uri == f"{system_uri(node)}/{RESET}":
                if kind != FORCE_OFF:
                    return HTTPStatus.BAD_REQUEST
                process.kill(record)
                return HTTPStatus.NO_CONTENT
        return HTTPStatus.NOT_FOUND


class _Answers(BaseHTTPRequestHandler):
    server: Boards
    timeout = 60.0  # an emulated node takes its time

    def do_GET(self) -> None:
        if self._may_ask():
            found = self.server.show(self.path)
            self._answer(HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK, found)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self._may_ask():
            try:
                self._answer(self.server.reset(self.path, json.loads(body)["ResetType"]))
            except (ValueError, KeyError, TypeError):
                self._answer(HTTPStatus.BAD_REQUEST)

    def _may_ask(self) -> bool:
        if hmac.compare_digest(self.headers.get("Authorization", ""), self.server.authorization):
            return True
        self._answer(HTTPStatus.UNAUTHORIZED)
        return False

    def _answer(self, status: HTTPStatus, found: Mapping[str, Any] | None = None) -> None:
        body = b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(argv: Sequence[str]) -> int:
    """Serve until killed."""
    port, password, certificate, *nodes = argv
    records = {name: Path(path) for name, _, path in (each.partition("=") for each in nodes)}
    Boards(int(port), Path(password).read_text(encoding="ascii"), Path(certificate), records).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
