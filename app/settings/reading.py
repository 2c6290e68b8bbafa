"""Reads the settings from the environment, a `.env` file and secret files; says in one line a problem what is wrong.

Nothing said here repeats a value: it may be a secret that landed in the wrong variable.
"""

import json
import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pydantic_settings
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource

from app.errors import AppError
from app.settings.base import PREFIX
from app.settings.tree import Settings
from app.validation_messages import explain_problem

__all__ = ["SettingsError", "read_settings"]

_ENV_FILE = Path(".env")
_PLACE_OF_VARIABLE = 2
_SECRETS_DIR = f"{PREFIX}SECRETS_DIR"


class SettingsError(AppError):
    """The environment says something the service cannot start with."""

    code = "settings"
    title = "Unusable settings"


def read_settings(environ: Mapping[str, str] = os.environ, *, env_file: Path = _ENV_FILE, **overrides: Any) -> Settings:
    """Read and check the settings: `overrides` win over `environ`, that over `env_file`, and that over secret files.

    An empty variable counts as absent; names without our prefix are ignored. Raises SettingsError with one
    line per problem, naming the variable.
    """
    variables = _collect(_read_file(env_file)) | _collect(environ)
    if folder := variables.get(_SECRETS_DIR):
        variables = _collect(_read_secrets(Path(folder))) | variables
    if unknown := [_refuse_name(name) for name in variables if not _is_known(name)]:
        raise SettingsError("\n".join(unknown))
    if malformed := [_locate(name, value) for name, value in variables.items() if not _is_readable(name, value)]:
        raise SettingsError("\n".join(malformed))
    try:
        return Settings(**_overlay(_nest(variables), overrides))
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        raise SettingsError("\n".join(dict.fromkeys(map(_describe, problems)))) from error


def _collect(source: Mapping[str, str | None]) -> dict[str, str]:
    return {name.upper(): value for name, value in source.items() if name.upper().startswith(PREFIX) and value}


def _read_file(path: Path) -> Mapping[str, str | None]:
    try:
        with path.open(encoding="utf-8") as stream:
            for binding in parse_stream(stream):
                if binding.error:
                    raise SettingsError(f"{path}: line {binding.original.line} is not NAME=value")
        # `${…}` in a secret is part of it.
        return dotenv_values(path, encoding="utf-8", interpolate=False)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as text") from error


def _read_secrets(folder: Path) -> dict[str, str | None]:
    """Read the files of a folder that are named like variables, without the space around their text."""
    try:
        files = [file for file in sorted(folder.iterdir()) if file.name.upper().startswith(PREFIX)]
    except OSError as error:
        raise SettingsError(f"{_SECRETS_DIR}: {folder} is no folder that can be read: {error.strerror}") from error
    secrets: dict[str, str | None] = {}
    for file in files:
        try:
            secrets[file.name] = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: cannot be read as text by this user") from error
    return secrets


def _is_known(name: str) -> bool:
    """Tell whether a variable leads to a setting, as far as the names are ours; the rest is a label or a key."""
    top, *rest = name.removeprefix(PREFIX).lower().split("__")
    field = Settings.model_fields.get(top)
    if field is None:
        return False
    if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
        return not rest
    return not rest or rest[0] in field.annotation.model_fields


def _refuse_name(name: str) -> str:
    near = get_close_matches(name.removeprefix(PREFIX), _list_names(), n=1, cutoff=0.7)
    return f"{name}: unknown setting; " + (
        f"did you mean {PREFIX}{near[0]}?" if near else "`smartrouting settings` lists them"
    )


def _list_names() -> Iterator[str]:
    for top, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{top}__{name}".upper() for name in field.annotation.model_fields)
        else:
            yield top.upper()


def _nest(variables: Mapping[str, str]) -> dict[str, Any]:
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in variables.items()}
    return source()


def _is_readable(name: str, value: str) -> bool:
    try:
        _nest({name: value})
    except pydantic_settings.SettingsError:
        return False
    return True


def _locate(name: str, value: str) -> str:
    """Say where a value stops being JSON, without the value."""
    try:
        json.loads(value)
    except ValueError as error:
        place = f" from line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        return f"{name}: is not valid JSON{place}"
    return f"{name}: is not the JSON that is expected here"


def _overlay(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one tree over another; groups merge, everything else replaces."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = _overlay(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _describe(problem: Mapping[str, Any]) -> str:
    message = explain_problem(problem)
    if problem["type"] == "extra_forbidden":
        message = "unknown setting; `smartrouting settings` lists them"
    place = [str(part) for part in problem["loc"]]
    if not place:
        return message
    variable = PREFIX + "__".join(part.upper() for part in place[:_PLACE_OF_VARIABLE])
    rest = f" at {'.'.join(place[_PLACE_OF_VARIABLE:])}" if len(place) > _PLACE_OF_VARIABLE else ""
    return f"{variable}{rest}: {message}"
