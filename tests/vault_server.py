"""An HTTP server that speaks as much of Vault's API as `tests/vectors/vault/transit.json` writes down, and
refuses whatever the file does not: what is asked in another form stands in `violations`.
"""

import base64
import json
import secrets
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CONTRACT = json.loads((Path(__file__).parent / "vectors" / "vault" / "transit.json").read_text())
TOKEN = "s.of-the-tests"


class VaultServer:
    """`status`: what every request is answered with, where not 0; `delay`: seconds before each answer."""

    def __init__(
        self, mount: str = "transit", namespace: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.mount, self.namespace = mount, namespace
        self.tokens = {TOKEN}
        self.keys: dict[str, dict] = {}
        self.violations: list[str] = []
        self.asked: list[str] = []
        self.status, self.delay, self.ttl = 0, 0.0, 3600
        self.answer: dict | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"vault": self}))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def operation(self, method: str, path: str) -> tuple[str, str] | None:
        """Which operation of the contract this is, and of which key."""
        for name, each in CONTRACT["operations"].items():
            wanted, given = each["path"].format(mount=self.mount, name="{name}").split("/"), path.split("/")
            if each["method"] == method and len(wanted) == len(given):
                pairs = list(zip(wanted, given, strict=True))
                if all(part in {"{name}", found} for part, found in pairs):
                    return name, next((found for part, found in pairs if part == "{name}"), "")
        return None


class _Handler(BaseHTTPRequestHandler):
    vault: VaultServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_GET  # noqa: N815 - names of the library's

    def _serve(self) -> None:  # noqa: PLR0911 - a refusal each
        vault = self.vault
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(vault.delay)
        found = vault.operation(self.command, self.path.removeprefix("/v1/"))
        if found is None or not self.path.startswith("/v1/"):
            return self._refuse(404, f"{self.command} {self.path}")
        operation, name = found
        vault.asked.append(operation)
        if vault.status:
            return self._send(vault.status, {"errors": ["told to"]})
        if self.headers.get("X-Vault-Request") != "true":
            return self._refuse(400, f"{operation}: headers")
        if (self.headers.get("X-Vault-Namespace") or "") != vault.namespace:
            return self._refuse(404, f"{operation}: namespace")
        if self.headers.get("X-Vault-Token") not in vault.tokens:
            return self._send(403, {"errors": ["permission denied"]})
        body = json.loads(raw) if raw else {}
        wanted = CONTRACT["operations"][operation]
        if body.keys() != wanted["body"].keys() or not all(
            _fits(body[field], form) for field, form in wanted["body"].items()
        ):
            return self._refuse(400, f"{operation}: body {sorted(body)}")
        status, answer = getattr(self, "_" + operation.replace("-", "_"))(name, body)
        if status == 200 and vault.answer is not None:
            answer = vault.answer
        return self._send(status, answer)

    def _refuse(self, status: int, what: str) -> None:
        self.vault.violations.append(what)
        self._send(status, {"errors": ["not in the contract"]})

    def _send(self, status: int, answer: dict | None) -> None:
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _lookup_self(self, name, body):
        data = {
            "accessor": "a",
            "display_name": "d",
            "policies": [],
            "ttl": self.vault.ttl,
            "renewable": True,
        }
        return 200, {"data": data}

    def _renew_self(self, name, body):
        return 200, {"auth": {"client_token": TOKEN, "lease_duration": self.vault.ttl, "renewable": True}}

    def _create(self, name, body):
        secret = secrets.token_bytes(32)
        self.vault.keys[name] = {"type": body["type"], "secret": secret, "deletable": False}
        return 204, None

    def _read(self, name, body):
        key = self.vault.keys.get(name)
        if key is None:
            return 404, {"errors": []}
        versions: dict = {"1": 1442851412}
        if key["type"] == "ed25519":
            public = Ed25519PrivateKey.from_private_bytes(key["secret"]).public_key().public_bytes_raw()
            encoded = base64.b64encode(public).decode()
            versions = {
                "1": {"creation_time": "2026-11-29T00:00:00Z", "name": "ed25519", "public_key": encoded}
            }
        data = {"name": name, "type": key["type"], "deletion_allowed": key["deletable"], "exportable": False}
        return 200, {"data": data | {"keys": versions, "latest_version": 1}}

    def _config(self, name, body):
        self.vault.keys[name]["deletable"] = True
        return 204, None

    def _delete(self, name, body):
        if not self.vault.keys[name]["deletable"]:
            return 400, {"errors": ["deletion is not allowed for this key"]}
        del self.vault.keys[name]
        return 204, None

    def _sign(self, name, body):
        key = self.vault.keys.get(name)
        if key is None or key["type"] != "ed25519":
            return 400, {"errors": ["signing key not found"]}
        private = Ed25519PrivateKey.from_private_bytes(key["secret"])
        signature = private.sign(base64.b64decode(body["input"]))
        return 200, {"data": {"signature": "vault:v1:" + base64.b64encode(signature).decode()}}

    def _encrypt(self, name, body):
        key = self.vault.keys.get(name)
        if key is None or key["type"] != "aes256-gcm96":
            return 400, {"errors": ["encryption key not found"]}
        nonce = secrets.token_bytes(12)
        text, aad = (base64.b64decode(body[field]) for field in ("plaintext", "associated_data"))
        sealed = nonce + AESGCM(key["secret"]).encrypt(nonce, text, aad)
        return 200, {"data": {"ciphertext": "vault:v1:" + base64.b64encode(sealed).decode()}}

    def _decrypt(self, name, body):
        key = self.vault.keys.get(name)
        if key is None:
            return 400, {"errors": ["encryption key not found"]}
        sealed = base64.b64decode(body["ciphertext"].removeprefix("vault:v1:"))
        try:
            aad = base64.b64decode(body["associated_data"])
            text = AESGCM(key["secret"]).decrypt(sealed[:12], sealed[12:], aad)
        except (InvalidTag, ValueError):
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(text).decode()}}


def _fits(value, form) -> bool:
    if form in {"base64", "vault:v1:base64"}:
        prefix = form.removesuffix("base64")
        try:
            base64.b64decode(value.removeprefix(prefix), validate=True)
        except (ValueError, AttributeError):
            return False
        return value.startswith(prefix)
    if isinstance(form, str):
        return value in form.split("|")
    return type(value) is type(form) and value == form
