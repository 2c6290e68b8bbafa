"""`smartrouting check`: are the settings right, asked of the real systems?"""

import asyncio
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Annotated, Any

import httpx
import typer
from pydantic import ValidationError

from app.auth.issuer import IssuerError, fetch_metadata, fetch_signing_keys
from app.bootstrap.golive import Systems, list_system_questions
from app.bootstrap.upstreams import Upstreams, connect_enreach, connect_organisation, open_http
from app.calls.call_settings import make_profile
from app.cli.shell import Json, describe_error, keep_files_private
from app.configurator.settings.live_settings import LiveSettings
from app.demo.setup import prepare_demo
from app.enreach.errors import EnreachError
from app.errors import InvalidInputError
from app.observability.logging import configure_logging
from app.operations.golive.handoff import Handoff, Handoffs
from app.operations.golive.judgements import judge_decision_log
from app.operations.golive.readiness import Answer, Item, Question, Readiness, not_needed, ok, wrong
from app.operations.golive.schemas import ReadinessBody
from app.routing.compiled import compile_ruleset
from app.routing.ruleset import Ruleset
from app.rulesets.publish import read_ruleset_file, require_sound
from app.rulesets.store import Revision, RulesetStore
from app.settings import Settings, read_settings
from app.settings.base import require_https
from app.store.database import Database, open_database
from app.store.errors import StoreError
from app.store.journal import Journal
from app.store.settings_documents import SettingsDocumentStore
from app.store.upgrade import rehearse_upgrade

__all__ = ["check"]

_WIDTH = len("not-needed")
_TIMEOUT_SECONDS = 30.0
"""For each question."""


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
    """Check the settings against the real systems, one line each; exit status 1 unless all is well.

    Asked are those items of go-live readiness that need no running service: store and ruleset, Dataverse (token,
    columns, roles, privileges, clock), Enreach (key, queues, users), and besides the OpenID Connect issuer.
    """
    if live is not None:
        shown = _fetch_readiness(live.rstrip("/"), key or typer.prompt("Key", hide_input=True))
    else:
        shown = ReadinessBody.of(_inspect())
    if as_json:
        sys.stdout.write(f"{shown.model_dump_json(indent=2)}\n")
    for item in () if as_json else shown.items:
        remedy = f" ({item.remedy})" if item.remedy else ""
        sys.stdout.write(f"{item.state:<{_WIDTH}}  {item.id}: {item.reason}{remedy}\n")
    raise typer.Exit(0 if shown.ready else 1)


def _fetch_readiness(address: str, key: str) -> ReadinessBody:
    """Ask a running service."""
    try:
        url = f"{require_https(address)}/admin/readiness"
        answer = httpx.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT_SECONDS)
    except ValueError as error:
        raise InvalidInputError(f"the address {error}") from error
    except httpx.HTTPError as error:
        raise InvalidInputError(f"{address} does not answer: {type(error).__name__}") from error
    if answer.status_code != httpx.codes.OK:
        raise InvalidInputError(f"{address} refuses to tell (HTTP {answer.status_code}): check the address and the key")
    try:
        return ReadinessBody.model_validate_json(answer.content)
    except ValidationError as error:
        raise InvalidInputError(f"what answers at {address} is not this service") from error


def _inspect() -> tuple[Item, ...]:
    settings, upstreams, sample = read_settings(), Upstreams(), None
    keep_files_private()
    configure_logging("error", "console")
    if settings.demo:
        demo = prepare_demo(settings, upstreams)
        settings, upstreams, sample = demo.settings, demo.upstreams, demo.ruleset
    return asyncio.run(_Inspection(settings=settings, upstreams=upstreams, sample=sample).run())


class _Inspection:
    """Asks each system. Store and rules come first: the rules say which columns, queues and users must exist."""

    def __init__(self, *, settings: Settings, upstreams: Upstreams, sample: Mapping[str, Any] | None) -> None:
        """`sample` is the ruleset that a start would publish where there is none."""
        self._settings = settings
        self._upstreams = upstreams
        self._sample = sample
        self._revision: Revision | None = None
        self._handoff = Handoff()
        self._ruleset = Ruleset()

    async def run(self) -> tuple[Item, ...]:
        """Return what was found, item by item; whatever goes wrong is an item."""
        store = await self._ask({"decision-log": self._ask_store})
        rules = await self._ask({"ruleset": self._ask_rules})
        async with AsyncExitStack() as stack:
            others = await self._ask(self._list_system_questions(stack) | {"sign-in": lambda: self._ask_issuer(stack)})
        return (*store, *rules, *others)

    async def _ask(self, questions: Mapping[str, Question]) -> tuple[Item, ...]:
        clock = self._upstreams.clock
        return await Readiness(questions=questions, clock=clock, seconds=_TIMEOUT_SECONDS).inspect()

    async def _ask_store(self) -> Answer:
        store, journal, database, detail = self._settings.store, "", "", ""
        try:
            async with AsyncExitStack() as stack:
                opened = open_database(store.url)
                stack.push_async_callback(opened.close)
                detail = await self._read_store(opened)
        except StoreError as error:
            database = error.detail
        try:
            Journal(folder=store.journal, clock=time.monotonic).require_folder()
        except StoreError as error:
            journal = error.detail
        return judge_decision_log(journal=journal, database=database, detail=f"journal can be written, {detail}")

    async def _read_store(self, database: Database) -> str:
        before, after = await rehearse_upgrade(database)
        if before is None:
            return "database is empty; the first start creates its tables"
        self._revision = await RulesetStore(database=database).current()
        if before != after:
            later = f"the first start upgrades it to {after}, see `smartrouting upgrade-notes`"
            return f"database opens, at schema {before}; {later}"
        await self._lay_saved_settings(database)
        return f"database opens, at schema {before}"

    async def _lay_saved_settings(self, database: Database) -> None:
        """Check what a start would work with: the saved settings over those of the environment, and the hand-off."""
        documents = SettingsDocumentStore(database=database)
        live_settings = LiveSettings(base=self._settings, store=documents)
        await live_settings.refresh()
        self._settings = live_settings.read()
        handoffs = Handoffs(documents=documents, settings=self._settings, clock=self._upstreams.clock)
        self._handoff = (await handoffs.read()).value

    async def _ask_rules(self) -> Answer:
        """Tell whether the ruleset that would be live after a start can be published."""
        settings = self._settings
        try:
            source, document = self._find_rules()
            if document is None:
                how = "publish a ruleset, or name a file in SMARTROUTING_RULES__FILE"
                return not_needed(f"there is none yet, so every call stays where it is; to change that, {how}")
            profile = make_profile(settings.response)
            self._ruleset = require_sound(document, profile, region=settings.phone.default_region)
        except InvalidInputError as error:
            return wrong(describe_error(error), "correct it; `smartrouting rules lint FILE` shows every place")
        return ok(f"{len(self._ruleset.rules)} rules from {source}")

    def _find_rules(self) -> tuple[str, object]:
        """Find the ruleset that would be live after a start, and say where it comes from."""
        if (file := self._settings.rules.file) is not None:
            return f"the file {file.name}", read_ruleset_file(file)
        if self._revision is not None:
            return f"revision {self._revision.head.number}", self._revision.document
        return "the sample", self._sample

    def _list_system_questions(self, stack: AsyncExitStack) -> dict[str, Question]:
        """List what a running service asks too; without an Enreach API no destination can be looked for."""
        settings, rules, handoff = self._settings, compile_ruleset(self._ruleset, revision=None), self._handoff

        async def read_handoff() -> Handoff:
            return handoff

        async def refuse_enreach() -> Answer:
            return wrong(unusable, "check SMARTROUTING_ENREACH__URL")

        enreach, unusable = None, ""
        try:
            enreach = connect_enreach(settings.enreach, self._upstreams, stack)
        except EnreachError as error:
            unusable = error.detail
        systems = Systems(
            read_settings=lambda: settings,
            read_rules=lambda: rules,
            read_handoff=read_handoff,
            organisation=connect_organisation(settings, self._upstreams, stack),
            enreach=enreach,
            clock=self._upstreams.clock,
        )
        questions = list_system_questions(systems)
        if enreach is None:
            del questions["destinations"]
        return questions | ({"enreach": refuse_enreach} if unusable else {})

    async def _ask_issuer(self, stack: AsyncExitStack) -> Answer:
        issuer = self._settings.admin.oidc_issuer
        if issuer is None:
            return not_needed("administrators come with keys only")
        try:
            http = open_http(self._upstreams.issuer, stack)
            keys = await fetch_signing_keys(http, (await fetch_metadata(http, issuer)).jwks_uri)
        except IssuerError as error:
            return wrong(error.detail, "check SMARTROUTING_ADMIN__OIDC_ISSUER")
        if not keys:
            return wrong("the issuer has no key to sign with", "it must sign with RSA or elliptic curves")
        return ok(f"the issuer is there; keys to sign with: {len(keys)}")
