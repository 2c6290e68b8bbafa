"""`smartrouting check`: are the settings right, asked of the real systems?"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from itertools import chain
from typing import Annotated, Any, NoReturn

import httpx
import typer

from app.auth.issuer import IssuerError, fetch_metadata, fetch_signing_keys
from app.bootstrap.upstreams import Upstreams, connect_enreach, connect_organisation, open_http
from app.calls.call_settings import make_profile
from app.cli.shell import Json, describe_error, keep_files_private
from app.configurator.settings.live_settings import LiveSettings
from app.dataverse.check import CheckResult, check_organisation, collect
from app.demo.setup import prepare_demo
from app.enreach.client import EnreachClient
from app.enreach.errors import EnreachError
from app.errors import InvalidInputError
from app.observability.logging import configure_logging
from app.routing.compiled import compile_ruleset
from app.routing.decisions import DestinationKind
from app.routing.ruleset import Ruleset
from app.rulesets.publish import read_ruleset_file, require_sound
from app.rulesets.store import Revision, RulesetStore
from app.rulesets.upstream_checks import EnreachTargets, check_enreach, find_lost_targets
from app.settings import Settings, read_settings
from app.settings.base import require_https
from app.single_flight import gather_or_cancel
from app.store.database import Database, open_database
from app.store.errors import StoreError
from app.store.journal import Journal
from app.store.settings_documents import SettingsDocumentStore
from app.store.upgrade import rehearse_upgrade

__all__ = ["check"]

_WORDS = {True: "ok", False: "wrong", None: "not configured"}
_WIDTH = max(map(len, _WORDS.values()))
_TIMEOUT_SECONDS = 30.0
"""For all the questions to one system."""
_ENREACH = "Enreach API"
_ISSUER = "sign-in issuer"


def check(
    *,
    live: Annotated[
        str | None, typer.Option(help="Address of a running service: show what it lacks for going live instead.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="ADMIN_KEY", help="An administrator's key, for --live; else it is asked for.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the settings against the real systems, one line each; exit status 1 when something is wrong.

    Asked are the store, the ruleset, Dataverse (token, columns, roles, privileges), Enreach (key, queues, users) and
    the OpenID Connect issuer.
    """
    if live is not None:
        _show_readiness(live.rstrip("/"), key or typer.prompt("Key", hide_input=True), as_json=as_json)
    settings, upstreams, sample = read_settings(), Upstreams(), None
    keep_files_private()
    configure_logging("error", "console")
    if settings.demo:
        demo = prepare_demo(settings, upstreams)
        settings, upstreams, sample = demo.settings, demo.upstreams, demo.ruleset
    results = asyncio.run(_Inspection(settings=settings, upstreams=upstreams, sample=sample).run())
    wrong = any(result.ok is False for result in results)
    if as_json:
        shown = [asdict(result) | {"state": _WORDS[result.ok]} for result in results]
        sys.stdout.write(json.dumps({"ok": not wrong, "results": shown}, indent=2, ensure_ascii=False) + "\n")
    for result in () if as_json else results:
        hint = f" ({result.hint})" if result.hint else ""
        sys.stdout.write(f"{_WORDS[result.ok]:<{_WIDTH}}  {result.name}: {result.detail}{hint}\n")
    raise typer.Exit(1 if wrong else 0)


def _show_readiness(address: str, key: str, *, as_json: bool) -> NoReturn:
    """Print what a running service says, and end."""
    try:
        url = f"{require_https(address)}/admin/readiness"
        answer = httpx.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT_SECONDS)
    except ValueError as error:
        raise InvalidInputError(f"the address {error}") from error
    except httpx.HTTPError as error:
        raise InvalidInputError(f"{address} does not answer: {type(error).__name__}") from error
    if answer.status_code != httpx.codes.OK:
        raise InvalidInputError(f"{address} refuses to tell (HTTP {answer.status_code}): check the address and the key")
    shown = answer.json()
    if as_json:
        sys.stdout.write(f"{answer.text}\n")
        raise typer.Exit(0 if shown["ready"] else 1)
    for item in shown["items"]:
        remedy = f" ({item['remedy']})" if item["remedy"] else ""
        sys.stdout.write(f"{item['state']:<{_WIDTH}}  {item['id']}: {item['reason']}{remedy}\n")
    raise typer.Exit(0 if shown["ready"] else 1)


class _Inspection:
    """Asks each system once. Store and rules come first: the rules say which columns, queues and users must exist."""

    def __init__(self, *, settings: Settings, upstreams: Upstreams, sample: Mapping[str, Any] | None) -> None:
        """`sample` is the ruleset that a start would publish where there is none."""
        self._settings = settings
        self._upstreams = upstreams
        self._sample = sample
        self._revision: Revision | None = None
        self._ruleset = Ruleset()

    async def run(self) -> list[CheckResult]:
        """Return what was found, system by system; whatever goes wrong is a result."""
        results = await collect("store", self._check_store(), seconds=_TIMEOUT_SECONDS)
        results += [result async for result in self._check_rules()]
        async with AsyncExitStack() as stack:
            others = await gather_or_cancel(
                collect("Dataverse", self._check_dataverse(stack), seconds=_TIMEOUT_SECONDS),
                collect(_ENREACH, self._check_enreach(stack), seconds=_TIMEOUT_SECONDS),
                collect(_ISSUER, self._check_issuer(stack), seconds=_TIMEOUT_SECONDS),
            )
        return [*results, *chain.from_iterable(others)]

    async def _check_store(self) -> AsyncIterator[CheckResult]:
        store = self._settings.store
        name = "store"
        try:
            async with AsyncExitStack() as stack:
                database = open_database(store.url)
                stack.push_async_callback(database.close)
                yield CheckResult(name, ok=True, detail=await self._read_store(database))
            name = "journal"
            Journal(folder=store.journal, clock=time.monotonic).require_folder()
            yield CheckResult(name, ok=True, detail="can be written")
        except StoreError as error:
            yield CheckResult(name, ok=False, detail=error.detail)

    async def _read_store(self, database: Database) -> str:
        before, after = await rehearse_upgrade(database)
        if before is None:
            return "empty; the first start creates its tables"
        self._revision = await RulesetStore(database=database).current()
        if before == after:
            await self._lay_saved_settings(database)
        later = f"; the first start upgrades it to {after}, see `smartrouting upgrade-notes`"
        return f"opens, at schema {before}" + (later if after != before else "")

    async def _lay_saved_settings(self, database: Database) -> None:
        """Check what a start would work with: the saved settings over those of the environment."""
        live_settings = LiveSettings(base=self._settings, store=SettingsDocumentStore(database=database))
        await live_settings.refresh()
        self._settings = live_settings.read()

    async def _check_rules(self) -> AsyncIterator[CheckResult]:
        settings = self._settings
        try:
            source, document = self._find_rules()
            if document is None:
                hint = "publish a ruleset, or name a file in SMARTROUTING_RULES__FILE"
                yield CheckResult("rules", ok=None, detail="every call stays where it is", hint=hint)
                return
            profile = make_profile(settings.response)
            self._ruleset = require_sound(document, profile, region=settings.phone.default_region)
            yield CheckResult("rules", ok=True, detail=f"{len(self._ruleset.rules)} from {source}")
        except InvalidInputError as error:
            yield CheckResult("rules", ok=False, detail=describe_error(error))

    def _find_rules(self) -> tuple[str, object]:
        """Find the ruleset that would be live after a start, and say where it comes from."""
        if (file := self._settings.rules.file) is not None:
            return f"the file {file.name}", read_ruleset_file(file)
        if self._revision is not None:
            return f"revision {self._revision.head.number}", self._revision.document
        return "the sample", self._sample

    async def _check_dataverse(self, stack: AsyncExitStack) -> AsyncIterator[CheckResult]:
        settings = self._settings
        organisation = connect_organisation(settings, self._upstreams, stack)
        async for result in check_organisation(
            client=organisation.client,
            tokens=organisation.tokens,
            dataverse=settings.dataverse,
            vip=settings.vip,
            voice=settings.voice,
            selection=compile_ruleset(self._ruleset, revision=None).selection,
        ):
            yield result

    async def _check_enreach(self, stack: AsyncExitStack) -> AsyncIterator[CheckResult]:
        try:
            client = connect_enreach(self._settings.enreach, self._upstreams, stack)
        except EnreachError as error:
            yield CheckResult(_ENREACH, ok=False, detail=error.detail, hint="check SMARTROUTING_ENREACH__URL")
            return
        result = await check_enreach(client)
        yield result
        if client is None or not result.ok:
            return
        async for result in self._check_destinations(client):
            yield result

    async def _check_destinations(self, client: EnreachClient) -> AsyncIterator[CheckResult]:
        lost = await find_lost_targets(self._ruleset, EnreachTargets(client=client), silence="error")
        for finding in lost:
            yield CheckResult(f"rules {finding.pointer}", ok=False, detail=finding.message, hint=finding.hint)
        if not lost:
            kinds = [spec.kind for spec in self._ruleset.destinations.values()]
            places = len(kinds) - kinds.count(DestinationKind.NUMBER)
            yield CheckResult("queues and users", ok=True, detail=f"Enreach knows those of the rules ({places})")

    async def _check_issuer(self, stack: AsyncExitStack) -> AsyncIterator[CheckResult]:
        issuer = self._settings.admin.oidc_issuer
        if issuer is None:
            yield CheckResult(_ISSUER, ok=None, detail="administrators come with keys only")
            return
        try:
            http = open_http(self._upstreams.issuer, stack)
            metadata = await fetch_metadata(http, issuer)
            yield CheckResult(_ISSUER, ok=True, detail="the discovery document is there")
            keys = await fetch_signing_keys(http, metadata.jwks_uri)
            wanted = "" if keys else "the issuer must sign with RSA or elliptic curves"
            yield CheckResult("sign-in keys", ok=bool(keys), detail=f"{len(keys)} to sign with", hint=wanted)
        except IssuerError as error:
            yield CheckResult(_ISSUER, ok=False, detail=error.detail, hint="check SMARTROUTING_ADMIN__OIDC_ISSUER")
