"""`smartrouting simulate`."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, cast

import typer

from app.calls.components import CallsState
from app.cli.shell import keep_files_private
from app.errors import InvalidInputError
from app.main import create_app
from app.observability.logging import configure_logging
from app.routing.documents import read_document
from app.routing.rule_data import DataTable
from app.routing.stored_tests import CallerStub
from app.rulesets.publish import read_ruleset_file
from app.rulesets.tables.content import ColumnChoice, read_csv, read_json
from app.settings import RulesSettings, Settings, read_settings

__all__ = ["simulate"]

_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def simulate(  # noqa: PLR0917 - options of a command, each with its name
    anum: Annotated[str, typer.Argument(help="The caller's number; '' is a withheld one.", show_default=False)],
    bnum: Annotated[str, typer.Option(help="The called number.")] = "",
    target_id: Annotated[str, typer.Option("--targetid", help="The target id.")] = "",
    queue_id: Annotated[str, typer.Option("--queue", help="The id of the queue the call is in.")] = "",
    rules: Annotated[
        Path | None, typer.Option(help="Ruleset file; else that of the settings, or what is published.")
    ] = None,
    caller: Annotated[str, typer.Option(help="""Pretend the CRM says this, e.g. '{"vip": true}'.""")] = "",
    at: Annotated[datetime | None, typer.Option(help="Pretend it is then, in UTC.", formats=_FORMATS)] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(help="A parameter of the queue, e.g. DYN_CUSTOMER=4711; may be repeated.")
    ] = None,
    culture: Annotated[str | None, typer.Option(help="The caller's language, e.g. fi-FI.")] = None,
    switch: Annotated[
        list[str] | None, typer.Option(help="Pretend a switch is set, e.g. emergency=on; may be repeated.")
    ] = None,
    table: Annotated[
        list[str] | None, typer.Option(help="Pretend a table holds a CSV or JSON file, e.g. brands=brands.csv.")
    ] = None,
    *,
    _as_json: Annotated[bool, typer.Option("--json", help="JSON is what it always writes.")] = False,
) -> None:
    """Decide a made-up call: decision, wire answer and trace as JSON. Nothing is logged, nobody is answered."""
    payload: dict[str, Any] = {
        "anum": anum,
        "bnum": bnum,
        "targetid": target_id,
        "extradata": {"CurrQueueId": queue_id},
    }
    stub = _read_caller(caller) if caller else None
    document = _read_rules(rules) if rules else None
    configure_logging("error", "console")
    settings = read_settings()
    if document is None and settings.rules.file is not None:
        # What the next start publishes, and what `check` looks at; before the first start nothing else is there.
        document = _read_rules(settings.rules.file)
    moment = None if at is None else at.replace(tzinfo=UTC)
    pretended: dict[str, Any] = {"caller": stub, "at": moment, "ruleset": document, "culture": culture}
    settings = read_settings()
    pretended["tables"] = _read_tables(table or [], settings.phone.default_region)
    pretended |= {"parameters": _read_parameters(parameter or []), "switches": _read_switches(switch or [])}
    keep_files_private()
    with TemporaryDirectory() as folder:
        if rules:
            settings = _keep_out_of_the_store(settings, Path(folder))
        settings = settings.model_copy(update={"rules": RulesSettings()})
        result = asyncio.run(_ask(settings, payload=payload, **pretended, reveal_to=_Console()))
    sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


@dataclass(frozen=True, slots=True)
class _Console:
    """Whoever can run this command has the keys of every system anyway."""

    name: str = "console"


async def _ask(settings: Settings, *, payload: dict[str, Any], **pretended: Any) -> dict[str, Any]:
    app = create_app(settings)
    async with app.router.lifespan_context(app) as state:
        return await cast(CallsState, state)["calls"].simulation.simulate(payload, **pretended)


def _read_caller(text: str) -> CallerStub:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter("must be JSON", param_hint="--caller") from error
    return read_document(CallerStub, document, list(CallerStub.model_fields))


def _read_parameters(pairs: Sequence[str]) -> dict[str, str]:
    named = dict(pair.partition("=")[::2] for pair in pairs)
    if not all("=" in pair for pair in pairs) or not all(name.startswith("DYN_") for name in named):
        raise typer.BadParameter("write it like DYN_CUSTOMER=4711", param_hint="--parameter")
    return named


def _read_switches(pairs: Sequence[str]) -> dict[str, bool]:
    named = dict(pair.partition("=")[::2] for pair in pairs)
    if not set(named.values()) <= {"on", "off"}:
        raise typer.BadParameter("write it like emergency=on or emergency=off", param_hint="--switch")
    return {name: state == "on" for name, state in named.items()}


def _read_tables(pairs: Sequence[str], region: str) -> dict[str, DataTable]:
    if not all("=" in pair for pair in pairs):
        raise typer.BadParameter("write it like brands=brands.csv", param_hint="--table")
    files = {name: Path(file) for name, _, file in (pair.partition("=") for pair in pairs)}
    return {name: _read_table(file, region) for name, file in files.items()}


def _read_table(file: Path, region: str) -> DataTable:
    """Read a table whose keys are the first column: phone numbers if all of them are, else texts."""
    try:
        body = file.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot read the table {file}: {error.strerror}") from error
    read = read_json if file.suffix == ".json" else read_csv
    try:
        return read(body, ColumnChoice(None, region)).make_table()
    except InvalidInputError:
        return read(body, ColumnChoice(None, None)).make_table()


def _read_rules(path: Path) -> dict[str, Any]:
    document = read_ruleset_file(path)
    if not isinstance(document, dict):
        raise InvalidInputError(f"the ruleset file {path} must hold a JSON object")
    return document


def _keep_out_of_the_store(settings: Settings, folder: Path) -> Settings:
    """Use a database of its own, so that a draft can be tried on a machine where no service ever ran."""
    store = settings.store.model_copy(update={"url": f"sqlite:///{folder}/simulate.db", "journal": folder / "journal"})
    return settings.model_copy(update={"store": store})
