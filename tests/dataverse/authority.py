"""An authority on loopback that speaks TLS, as Entra ID does."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import trustme


@dataclass
class Authority:
    """Answers token requests and keeps their forms."""

    url: str = ""
    status: int = 200
    answer: dict[str, object] = field(default_factory=dict)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def serve_authority(ca: trustme.CA) -> Iterator[Authority]:
    """Serve until the block ends."""
    authority = Authority()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authority.paths.append(self.path)
            if "openid-configuration" in self.path:
                tenant = f"{authority.url}/{self.path.split('/')[1]}"
                endpoints = {"authorization_endpoint": f"{tenant}/authorize", "issuer": f"{tenant}/v2.0"}
                self._reply(200, {"token_endpoint": f"{tenant}/oauth2/v2.0/token", **endpoints})
            else:
                self._reply(authority.status, authority.answer)

        def do_POST(self) -> None:
            authority.paths.append(self.path)
            authority.forms.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self._reply(authority.status, authority.answer)

        def _reply(self, status: int, document: dict[str, object]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        authority.url = f"https://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield authority
        finally:
            server.shutdown()
            thread.join()
