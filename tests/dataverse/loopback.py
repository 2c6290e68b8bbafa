"""The emulated organisation behind a real server on loopback."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme
import uvicorn


@contextmanager
def serve(app: Callable[..., Any], *, ca: trustme.CA | None = None, folder: Path | None = None) -> Iterator[str]:
    """Serve an ASGI application until the block ends; with a certificate authority, over TLS. Yields the URL.

    The socket listens before the server runs, so nobody has to wait for it.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    options: dict[str, Any] = {"log_config": None, "lifespan": "off", "ws": "none", "timeout_graceful_shutdown": 1}
    if ca is not None and folder is not None:
        ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        options["ssl_certfile"] = str(folder / "server.pem")
    server = uvicorn.Server(uvicorn.Config(app, **options))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"{'https' if ca else 'http'}://localhost:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def trust(ca: trustme.CA) -> ssl.SSLContext:
    """A TLS context that trusts this authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(context)
    return context
