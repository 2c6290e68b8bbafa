"""`smartrouting emulate dataverse` and `smartrouting emulate enreach`."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from starlette.types import ASGIApp

from app.emulators.dataverse import CLIENT_ID, CLIENT_SECRET, TENANT_ID, create_dataverse_emulator, load_tables
from app.emulators.enreach import create_enreach_emulator
from app.errors import InvalidInputError
from app.observability.logging import configure_logging
from app.serve import bind, run

__all__ = ["emulate"]

emulate = typer.Typer(name="emulate", help="Serve a stand-in for a system of the customer.", no_args_is_help=True)

_HOST = "127.0.0.1"
Port = Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.", min=0, max=65535)]
Data = Annotated[Path | None, typer.Option(help="JSON file of tables; without it the sample organisation.")]


@emulate.command()
def dataverse(port: Port, data: Data = None) -> None:
    """Serve an emulated Dataverse Web API with its token endpoint."""
    tables = load_tables(data) if data else None
    _serve(
        create_dataverse_emulator(data=tables, clock=_read_clock),
        port,
        "Dataverse",
        [f"tenant {TENANT_ID}", f"client {CLIENT_ID}", f"secret {CLIENT_SECRET}"],
    )


@emulate.command()
def enreach(port: Port, data: Data = None) -> None:
    """Serve an emulated Enreach API."""
    try:
        emulator = create_enreach_emulator(data=_read_tables(data) if data else None, clock=_read_clock)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{data}: {error}") from error
    _serve(emulator, port, "Enreach API", [])


def _serve(emulator: ASGIApp, port: int, name: str, lines: list[str]) -> None:
    configure_logging("warning", "console")
    listener = bind(_HOST, port)
    place = f"http://{_HOST}:{listener.getsockname()[1]}"

    def announce() -> None:
        sys.stderr.write("\n".join([f"Emulated {name} on {place}", *(f"  {line}" for line in lines)]) + "\n")

    run(emulator, listener, on_start=announce)


def _read_tables(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"cannot read the tables in {path}: {error}") from error


def _read_clock() -> datetime:
    return datetime.now(UTC)
