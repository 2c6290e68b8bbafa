"""`smartrouting emulate dataverse`, `smartrouting emulate enreach` and `smartrouting emulate graph`."""

import json
import shlex
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from app.emulators.certificate import write_certificate
from app.emulators.dataverse import (
    AGENT_EMAIL_COLUMN,
    AGENT_ID_COLUMN,
    CLIENT_ID,
    CLIENT_SECRET,
    MAX_ACCOUNTS,
    MAX_CONTACTS,
    TENANT_ID,
    TOKEN,
    add_customers,
    create_dataverse_emulator,
    load_tables,
    sample_tables,
)
from app.emulators.enreach import create_enreach_emulator
from app.emulators.graph import GraphEmulator
from app.errors import InvalidInputError
from app.observability.logging import configure_logging
from app.server.serve import bind, run
from app.settings.base import PREFIX

__all__ = ["emulate"]

emulate = typer.Typer(name="emulate", help="Serve a stand-in for a system of the customer.", no_args_is_help=True)

_HOST = "127.0.0.1"
_SAMPLE_RIGHTS = (
    "which has the rights the service needs: it creates no contacts or accounts.\n"
    "With --data that names no application user it may do everything."
)
Port = Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.", min=0, max=65535)]
Data = Annotated[Path | None, typer.Option(help="JSON file of tables; without it the sample organisation.")]

Tls = Annotated[bool, typer.Option("--tls", help="Serve https, with a certificate made at the start.")]
Contacts = Annotated[int, typer.Option(help="Contacts to make up beside the data.", min=0, max=MAX_CONTACTS)]
Accounts = Annotated[int, typer.Option(help="Accounts to make up beside the data.", min=0, max=MAX_ACCOUNTS)]
Seed = Annotated[int, typer.Option(help="Another seed makes up others.")]


@emulate.command()
def dataverse(
    port: Port,
    data: Data = None,
    contacts: Contacts = 0,
    accounts: Accounts = 0,
    seed: Seed = 1,
    *,
    tls: Tls = False,
) -> None:
    """Serve an emulated Dataverse Web API with its token endpoint, and print the settings that lead to it."""
    tables = load_tables(data) if data else sample_tables()
    add_customers(tables, contacts=contacts, accounts=accounts, seed=seed)
    variables = {"DATAVERSE__AUTH": "token", "DATAVERSE__TOKEN": TOKEN}
    if data is None:
        variables["DATAVERSE__AGENT_ID_COLUMN"] = AGENT_ID_COLUMN
        variables["DATAVERSE__AGENT_EMAIL_COLUMN"] = AGENT_EMAIL_COLUMN
    # A start is refused without anybody who could call.
    variables["WEBHOOK__API_KEYS"] = '{"demo": "not-a-real-webhook-key"}'
    _serve(
        create_dataverse_emulator(data=tables, clock=_read_clock, static_tokens={TOKEN: CLIENT_ID}),
        port,
        "Dataverse",
        "DATAVERSE__URL",
        variables,
        f"Its token endpoint knows tenant {TENANT_ID}, client {CLIENT_ID}, secret {CLIENT_SECRET};\n"
        "the service itself asks for tokens by https only.",
        "The token stands for that client, " + ("whose rights are in the data." if data else _SAMPLE_RIGHTS),
        tls=tls,
    )


@emulate.command()
def enreach(port: Port, data: Data = None, *, tls: Tls = False) -> None:
    """Serve an emulated Enreach API, and print the settings that lead to it."""
    try:
        emulator = create_enreach_emulator(data=_read_tables(data) if data else None, clock=_read_clock)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{data}: {error}") from error
    user, secret = emulator.credential
    _serve(emulator, port, "Enreach API", "ENREACH__URL", {"ENREACH__USER": user, "ENREACH__SECRET": secret}, tls=tls)


@emulate.command()
def graph(port: Port, *, tls: Tls = False) -> None:
    """Serve an emulated Microsoft Graph with its token endpoint, and print the settings that lead to it."""
    _serve(
        GraphEmulator(clock=_read_clock, static_tokens=[TOKEN]),
        port,
        "Microsoft Graph",
        "GRAPH__URL",
        {"GRAPH__TOKEN": TOKEN},
        f"It holds the app registration {CLIENT_ID}, whose secret is {CLIENT_SECRET}.",
        f"Its token endpoint is that of tenant {TENANT_ID}; the service itself asks for tokens by https only.",
        tls=tls,
    )


def _serve(
    app: Callable[..., Awaitable[None]],
    port: int,
    name: str,
    url: str,
    variables: Mapping[str, str],
    *remarks: str,
    tls: bool,
) -> None:
    """Serve, and print what to paste where the service or its check is to be started."""
    configure_logging("warning", "console")
    listener = bind(_HOST, port)
    place = f"{'https' if tls else 'http'}://{_HOST}:{listener.getsockname()[1]}"
    settings = {url: place, **variables}
    exports = [f"  export {PREFIX}{name}={shlex.quote(value)}" for name, value in settings.items()]
    with TemporaryDirectory() as folder:
        certificate = write_certificate(Path(folder)) if tls else None
        trust = [f"Its certificate, for clients to trust: {certificate[0]}"] if certificate else []
        lines = [f"Emulated {name} on {place}", *exports, *remarks, *trust, "Stop with Ctrl-C."]
        run(app, listener, on_start=lambda: _say(lines), certificate=certificate, dated=True)


def _say(lines: list[str]) -> None:
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def _read_tables(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"cannot read the tables in {path}: {error}") from error


def _read_clock() -> datetime:
    return datetime.now(UTC)
