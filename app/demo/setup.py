"""Completes the settings of a demo: keys, embedded systems and sample rules."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import (
    AGENT_EMAIL_COLUMN,
    AGENT_ID_COLUMN,
    CLIENT_ID,
    CLIENT_SECRET,
    TENANT_ID,
    TOKEN,
    DataverseEmulator,
    create_dataverse_emulator,
    load_tables,
)
from app.emulators.enreach import EnreachEmulator, create_enreach_emulator
from app.emulators.graph import GraphEmulator
from app.settings import (
    AdminKey,
    DataverseAuth,
    DataverseSettings,
    EnreachSettings,
    GraphSettings,
    Role,
    Settings,
    SettingsError,
)

__all__ = ["Demo", "prepare_demo"]

_KEYS_FILE: Final = Path("data/demo-keys.json")
_URL: Final = "http://127.0.0.1"


class DemoKeys(TypedDict):
    """The keys of the demo."""

    webhook: str
    admin: str


_KEYS: Final = TypeAdapter(DemoKeys)


@dataclass(frozen=True, slots=True)
class Demo:
    """What the composition root works with instead of what the environment gave."""

    settings: Settings
    """Complete: whatever was not set explicitly is filled in."""
    upstreams: Upstreams
    """With the ways to the embedded systems, unless the settings name real ones."""
    emulators: Mapping[str, DataverseEmulator | EnreachEmulator | GraphEmulator]
    """The embedded systems by name, to look into and to change below `/demo/`."""
    ruleset: dict[str, Any] | None
    """Published at the first start, unless the settings name a ruleset file."""


def prepare_demo(settings: Settings, upstreams: Upstreams) -> Demo:
    """Fill in keys, embedded systems and sample rules; anything set explicitly wins.

    Raises SettingsError when the keys cannot be kept, and DataFileError for unusable tables.
    """

    def read_clock() -> datetime:
        return datetime.fromtimestamp(upstreams.clock(), UTC)

    changes: dict[str, Any] = _fill_in_keys(settings)
    if "format" not in settings.log.model_fields_set:
        changes["log"] = settings.log.model_copy(update={"format": "console"})
    dataverse, enreach, graph, authority = upstreams.dataverse, upstreams.enreach, upstreams.graph, upstreams.authority
    emulators: dict[str, DataverseEmulator | EnreachEmulator | GraphEmulator] = {}
    if settings.dataverse.url is None:
        data = settings.dataverse.emulator_data
        tables = load_tables(data) if data else None
        emulator = create_dataverse_emulator(data=tables, clock=read_clock, static_tokens={TOKEN: CLIENT_ID})
        dataverse = dataverse or httpx.ASGITransport(emulator)
        emulators["dataverse"] = emulator
        changes["dataverse"] = _point_to_emulator(settings.dataverse)
        if settings.graph.url is None:
            emulators["graph"] = tenant = GraphEmulator(clock=read_clock, static_tokens=[TOKEN])
            graph, authority = graph or httpx.ASGITransport(tenant), authority or httpx.ASGITransport(tenant)
            changes["graph"] = GraphSettings(url=_URL, token=SecretStr(TOKEN))
    if settings.enreach.url is None:
        stand_in = create_enreach_emulator(clock=read_clock)
        enreach = enreach or httpx.ASGITransport(stand_in)
        emulators["enreach"] = stand_in
        user, secret = stand_in.credential
        changes["enreach"] = EnreachSettings(url=_URL, user=user, secret=SecretStr(secret))
    return Demo(
        settings=settings.model_copy(update=changes),
        upstreams=replace(upstreams, dataverse=dataverse, enreach=enreach, graph=graph, authority=authority),
        emulators=emulators,
        ruleset=None if settings.rules.file else _read_sample_ruleset(),
    )


def _fill_in_keys(settings: Settings) -> dict[str, Any]:
    webhook, admin = settings.webhook, settings.admin
    changes: dict[str, Any] = {}
    needs_webhook = not webhook.api_keys and not webhook.basic_users
    if not needs_webhook and admin.api_keys:
        return changes
    keys = _keep_keys(_KEYS_FILE)
    if needs_webhook:
        changes["webhook"] = webhook.model_copy(update={"api_keys": {"demo": SecretStr(keys["webhook"])}})
    if not admin.api_keys:
        key = AdminKey(key=SecretStr(keys["admin"]), role=Role.VOICE_ADMIN_USER)
        changes["admin"] = admin.model_copy(update={"api_keys": {"demo": key}})
    return changes


def _keep_keys(file: Path) -> DemoKeys:
    """Make keys once and keep them, so that a line copied from the terminal still works after a restart."""
    try:
        if file.exists():
            return _KEYS.validate_json(file.read_bytes())
        keys: DemoKeys = {"webhook": secrets.token_urlsafe(18), "admin": secrets.token_urlsafe(18)}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps(keys), encoding="utf-8")
    except ValidationError as error:
        raise SettingsError(f"cannot read the demo's keys in {file}: delete it, and new ones are made") from error
    except OSError as error:
        raise SettingsError(f"cannot keep the demo's keys in {file}: {error.strerror}") from error
    return keys


def _point_to_emulator(dataverse: DataverseSettings) -> DataverseSettings:
    uses_sample = dataverse.emulator_data is None and dataverse.agent_id_column is None
    sample_column = AGENT_ID_COLUMN if uses_sample else None
    sample_email_column = AGENT_EMAIL_COLUMN if uses_sample else None
    return dataverse.model_copy(
        update={
            "url": _URL,
            "auth": DataverseAuth.TOKEN,
            "token": SecretStr(TOKEN),
            "tenant_id": TENANT_ID,
            "client_id": CLIENT_ID,
            "client_secret": SecretStr(CLIENT_SECRET),
            "agent_id_column": dataverse.agent_id_column or sample_column,
            "agent_email_column": dataverse.agent_email_column or sample_email_column,
        }
    )


def _read_sample_ruleset() -> dict[str, Any]:
    text = resources.files("app.demo").joinpath("ruleset.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
