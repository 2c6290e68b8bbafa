"""A small OpenID Connect provider on loopback that speaks TLS, rotates its keys, and can be away."""

import base64
import hashlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
import jwt
import trustme
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

__all__ = ["AUDIENCE", "Issuer", "SignKey", "make_key", "serve_issuer"]

AUDIENCE = "api://smart-routing"
_CLOSE = {"Connection": "close"}
"""No connection stays open, so that stopping is quick."""


@dataclass(frozen=True, slots=True)
class SignKey:
    """A key pair of the provider."""

    id: str
    private: Any
    algorithm: str

    def describe(self) -> dict[str, Any]:
        """Return the public half as a JSON Web Key (RFC 7517)."""
        kind = jwt.algorithms.RSAAlgorithm if self.algorithm.startswith("RS") else jwt.algorithms.ECAlgorithm
        public = json.loads(kind.to_jwk(self.private.public_key()))
        return {**public, "kid": self.id, "use": "sig", "alg": self.algorithm}

    def write_public(self) -> bytes:
        """Return the public half as PEM, which everybody can have."""
        pem: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem


def make_key(key_id: str, algorithm: str = "ES256") -> SignKey:
    """Make a key pair."""
    if algorithm.startswith("RS"):
        return SignKey(key_id, rsa.generate_private_key(public_exponent=65537, key_size=2048), algorithm)
    return SignKey(key_id, ec.generate_private_key(ec.SECP256R1()), algorithm)


@dataclass
class Issuer:
    """The provider, to be started and stopped at one address."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)
    keys: list[SignKey] = field(default_factory=lambda: [make_key("first")])
    """What is published; tokens are signed with the last one."""
    requests: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    """What browsers were sent here with."""
    refusal: dict[str, str] = field(default_factory=dict)
    """What it answers them with in place of a code."""
    claims: dict[str, Any] = field(default_factory=dict)
    """Of the tokens that browsers get."""
    port: int = 0
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self.ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(self.folder / "issuer.pem"))
        self._bound = self._bind()

    @property
    def url(self) -> str:
        """The issuer as tokens name it."""
        return f"https://localhost:{self.port}/realms/contoso"

    def trust(self) -> httpx.AsyncHTTPTransport:
        """Return a way to it that trusts its certificate authority and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.ca.configure_trust(context)
        return httpx.AsyncHTTPTransport(verify=context)

    def start(self) -> None:
        """Answer from now on; connections are accepted when this returns."""
        if self._bound is None:
            self._bound = self._bind()
        self._bound.listen(200)
        config = uvicorn.Config(
            self._make_app(),
            log_config=None,
            lifespan="off",
            loop="asyncio",
            ws="none",
            timeout_graceful_shutdown=1,
            ssl_certfile=str(self.folder / "issuer.pem"),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._bound]})
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on; in an async test call it in a thread, or open connections hold it up."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        if self._bound is not None:
            self._bound.close()
        self._server = self._bound = None

    def rotate(self) -> SignKey:
        """Publish a further key and sign with it."""
        self.keys.append(make_key(f"key-{len(self.keys) + 1}"))
        return self.keys[-1]

    def issue(self, *, key: SignKey | None = None, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Issue an access token for an administrator; `claims` win, and those that are `None` are left out."""
        signer = key or self.keys[-1]
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "7c9a1d2e-0000-4000-8000-00000000ab01",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "roles": ["Voice Admin User"],
        }
        payload = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        head = {name: value for name, value in {"kid": signer.id, **(headers or {})}.items() if value is not None}
        return jwt.encode(payload, signer.private, algorithm=signer.algorithm, headers=head)

    def _bind(self) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        self.port = bound.getsockname()[1]
        return bound

    def _make_app(self) -> Starlette:
        async def discover(_: Request) -> Response:
            self.requests.append("discovery")
            return JSONResponse(
                {
                    "issuer": self.url,
                    "jwks_uri": f"{self.url}/certs",
                    "authorization_endpoint": f"{self.url}/auth",
                    "token_endpoint": f"{self.url}/token",
                    "code_challenge_methods_supported": ["S256"],
                },
                headers=_CLOSE,
            )

        async def publish(_: Request) -> Response:
            self.requests.append("keys")
            encryption = {
                "kid": "for-encryption",
                "kty": "RSA",
                "use": "enc",
                "alg": "RSA-OAEP",
                "n": "AQAB",
                "e": "AQAB",
            }
            shared = {"kid": "shared", "kty": "oct", "k": "c2VjcmV0"}
            return JSONResponse({"keys": [encryption, shared, *(key.describe() for key in self.keys)]}, headers=_CLOSE)

        root = "/realms/contoso"
        return Starlette(
            routes=[
                Route(f"{root}/.well-known/openid-configuration", discover),
                Route(f"{root}/certs", publish),
                Route(f"{root}/auth", self._authorize),
                Route(f"{root}/token", self._give_token, methods=["POST"]),
            ]
        )

    def _authorize(self, request: Request) -> Response:
        """Lead the browser of somebody who is signed in here already back, with a code."""
        asked = dict(request.query_params)
        self.asked.append(asked)
        answer = dict(self.refusal) or {"code": f"code-{len(self.asked)}"}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({**answer, 'state': asked['state']})}", 302)

    async def _give_token(self, request: Request) -> Response:
        """Give a token for a code, once, to whoever knows the secret of its challenge (RFC 7636, section 4.6)."""
        form = parse_qs((await request.body()).decode())
        asked = self.asked[int(form["code"][0].removeprefix("code-")) - 1]
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        proven = base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked.pop("code_challenge", None)
        same = all(form[name] == [asked[name]] for name in ("client_id", "redirect_uri"))
        answer = {"access_token": self.issue(**self.claims)} if proven and same else {"error": "invalid_grant"}
        headers = {**_CLOSE, "Access-Control-Allow-Origin": "*"}
        return JSONResponse({**answer, "token_type": "Bearer"}, 200 if proven and same else 400, headers)


@contextmanager
def serve_issuer(folder: Path, *, started: bool = True) -> Iterator[Issuer]:
    """Lend a provider, running unless told otherwise."""
    issuer = Issuer(folder)
    if started:
        issuer.start()
    try:
        yield issuer
    finally:
        issuer.stop()
