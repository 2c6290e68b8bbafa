"""`smartrouting plugins list` and `plugins test`: which plugins are installed here, and what one of them does."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from app.configurator.events.catalogue import DEFAULT_ROW_MS, EventRow, RowStatus
from app.configurator.events.components import BUILT_IN
from app.configurator.events.context import EventContext, ForbiddenChangeError, accept_changes, dump_context
from app.configurator.events.plugin import PluginError, load_plugins
from app.configurator.events.run import run_plugin
from app.errors import AppError, InvalidInputError
from app.observability.logging import configure_logging
from app.routing.documents import read_document

__all__ = ["plugins"]

plugins = typer.Typer(name="plugins", help="Plugins that run on events of the phone client.", no_args_is_help=True)


class PluginFailedError(AppError):
    """The plugin did not do its work."""

    code = "plugin-failed"


@plugins.command("list")
def list_plugins(*, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """List the installed plugins; exit status 1 when one of another package could not be loaded."""
    configure_logging("error", "console")
    loaded = load_plugins(())
    rows: list[dict[str, Any]] = [
        {"id": plugin.id, "built_in": True, "description": plugin.description} for plugin in BUILT_IN
    ]
    rows += [
        {"id": each.plugin.id, "built_in": False, "description": each.plugin.description} for each in loaded.list_all()
    ]
    if as_json:
        sys.stdout.write(json.dumps({"items": rows, "broken": loaded.broken}, indent=2) + "\n")
    else:
        width = max(len(row["id"]) for row in rows)
        for row in rows:
            where = "built in" if row["built_in"] else "package "
            sys.stdout.write(f"{row['id']:<{width}}  {where}  {row['description']}\n")
    for name, reason in loaded.broken.items():
        sys.stderr.write(f"smartrouting: the entry point {name} gave no plugin: {reason}\n")
    if loaded.broken:
        raise typer.Exit(1)


@plugins.command("test")
def try_plugin(
    plugin: Annotated[str, typer.Argument(help="Its id.", show_default=False)],
    context: Annotated[
        Path | None, typer.Option(help="File with a plugin context as the phone client posts it; else an empty one.")
    ] = None,
    parameters: Annotated[str, typer.Option(help="What a row would set, as a JSON object.")] = "{}",
    timeout_ms: Annotated[int, typer.Option(min=1, max=30_000, help="How long it may take.")] = DEFAULT_ROW_MS,
) -> None:
    """Run one plugin of another package on a made-up context, and print the context afterwards as JSON.

    It runs as it would in the service: with its parameters judged, within its time, refused what it may not change.
    Exit status 1 when it fails. Built-in ones need the service: POST /admin/events/{event}/test.
    """
    configure_logging("error", "console")
    if plugin in {each.id for each in BUILT_IN}:
        raise InvalidInputError(f"{plugin} is built in and needs the service: POST /admin/events/…/test tries it there")
    installed = load_plugins(()).require(plugin)
    before = _read_context(context)
    row = EventRow(
        number=1,
        plugin=plugin,
        order=1,
        status=RowStatus.ACTIVE,
        parameters=_read_json(parameters, "--parameters"),
        timeout_ms=timeout_ms,
    )
    started = time.perf_counter()
    try:
        after = asyncio.run(run_plugin(installed, before, row, seconds=timeout_ms / 1000))
        after, changed = accept_changes(before, after, plugin)
    except TimeoutError as error:
        raise PluginFailedError(f"{plugin} took longer than {timeout_ms} ms") from error
    except (PluginError, ForbiddenChangeError) as error:
        raise PluginFailedError(f"{plugin} failed: {error}") from error
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    shown = {"changed": changed, "ms": milliseconds, "context": dump_context(after)}
    sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")


def _read_context(path: Path | None) -> EventContext:
    if path is None:
        return EventContext()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'no UTF-8'}") from error
    return read_document(EventContext, _read_json(text, str(path)), list(EventContext.model_fields))


def _read_json(text: str, where: str) -> dict[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInputError(f"{where} is no JSON: {error.msg} in {place}") from error
    if not isinstance(document, dict):
        raise InvalidInputError(f"{where} must be a JSON object")
    return document
