"""`smartrouting serve`."""

import json
import sys
from typing import Annotated, Any

import typer

from app.cli.shell import keep_files_private
from app.main import create_app
from app.observability.logging import configure_logging
from app.server.serve import bind, run
from app.settings import Settings, read_settings
from app.web.health import Departure

__all__ = ["serve"]


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; else SMARTROUTING_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; else SMARTROUTING_PORT.", min=0, max=65535)] = None,
) -> None:
    """Serve the webhook and the administrators' endpoints; settings come from the environment and a .env file."""
    given: dict[str, Any] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = read_settings(**given)
    keep_files_private()
    app = create_app(settings)
    complete: Settings = app.state.settings
    configure_logging(complete.log.level, complete.log.format)
    listener = bind(complete.host, complete.port)
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    departure: Departure = app.state.departure

    def leave() -> None:
        departure.begun = True

    run(
        app,
        listener,
        on_start=lambda: _announce(complete, url),
        on_leave=leave,
        drain_seconds=complete.drain_seconds,
    )


def _announce(settings: Settings, url: str) -> None:
    lines = _describe_demo(settings, url) if settings.demo else [f"Serving on {url}"]
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def _describe_demo(settings: Settings, url: str) -> list[str]:
    """Say what to try. Keys are printed because they open this demo only."""
    # The wildcard is no address to go to.
    url = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    reach = "open to whoever reaches it" if settings.demo_any_host else "loopback only"
    credential = _describe_credential(settings)
    admin = next((entry.key.get_secret_value() for entry in settings.admin.api_keys.values()), "")
    body = json.dumps({"anum": "+358501234567", "bnum": "+358912345678", "targetid": "SALES_QUEUE"})
    return [
        "",
        f"Smart Routing demo: sample data, {reach}.",
        f"  Webhook     {url}/smartrouting",
        f"  Try it out  {url}/docs",
        f"  Key of the webhook         {credential.split(': ', 1)[-1]}",
        f"  Key of the administrator   {admin}",
        "",
        "A VIP calls the sales line:",
        f"  curl -i {url}/smartrouting -H '{credential}' -H 'Content-Type: application/json' -d '{body}'",
        "",
        "Stop with Ctrl-C.",
    ]


def _describe_credential(settings: Settings) -> str:
    """Name a header that the webhook accepts."""
    for key in settings.webhook.api_keys.values():
        return f"X-Benemen-APIKey: {key.get_secret_value()}"
    return "Authorization: Basic (as set)"
