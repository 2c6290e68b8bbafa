"""The composition root: builds every part from the settings, wires them by hand, opens and closes them in order."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import metadata
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from app.auth.access import IdentifyFirst
from app.auth.key_use import KeyUse
from app.bootstrap.calls import make_call_state
from app.bootstrap.components import Components
from app.bootstrap.dataverse import connect_organisation
from app.bootstrap.directory import make_directory, make_load_shedding
from app.bootstrap.enreach import connect_enreach
from app.bootstrap.key_use import save_key_use
from app.bootstrap.operations import make_operation_state, open_operations
from app.bootstrap.rulesets import make_ruleset_state, make_shadow, start_ruleset_work
from app.bootstrap.spans import open_spans
from app.bootstrap.stores import Stores, open_stores
from app.bootstrap.terms import make_profile
from app.bootstrap.upstreams import Upstreams
from app.bootstrap.users import make_sign_in, open_people
from app.calls.application import Application
from app.calls.decisions_api import router as decisions_router
from app.calls.simulate_api import router as simulate_router
from app.calls.webhook_route import make_webhook_router
from app.configurator.api import router as authentication_router
from app.demo.setup import prepare_demo
from app.observability.metrics import Metrics
from app.observability.requests import RequestContext
from app.operations.api import router as operations_router
from app.operations.audit_api import router as audit_router
from app.operations.background import Background
from app.operations.jobs_api import router as jobs_router
from app.operations.keys_api import router as keys_router
from app.routing.ruleset import Ruleset
from app.routing.wire import ResponseProfile
from app.rulesets.api import router as rulesets_router
from app.rulesets.calendars_api import router as calendars_router
from app.rulesets.drafts_api import router as ruleset_drafts_router
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.parts_api import router as ruleset_parts_router
from app.rulesets.publication import publish_at_start, read_ruleset_file
from app.rulesets.recorded_tests_api import router as decision_tests_router
from app.rulesets.replays_api import router as replays_router
from app.rulesets.shadow_api import router as shadow_router
from app.settings import Settings
from app.store.journal import Journal
from app.store.mover import JournalMover, MoverOptions
from app.users.api import router as users_router
from app.users.bulk_api import router as many_users_router
from app.users.enreach_id_cache import EnreachIdCache
from app.users.me_api import router as me_router
from app.users.store import EnreachIdStore
from app.web.bodies import BodyLimit
from app.web.documentation import add_documentation
from app.web.errors import add_error_handlers
from app.web.health_api import router as health_router
from app.web.introduction import DESCRIPTION, TAGS

__all__ = ["create_app"]

_UNLOGGED = ("/health/live", "/health/ready", "/metrics")
"""Paths without an access line: probes would drown everything else."""
_RULEBOOK_SECONDS = 1.0
_KEY_USE_SECONDS = 5.0
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""The framework's own would export paths with phone numbers, and messages of errors (decision record 0011)."""
_MAX_ADMIN_BYTES = 5 * 1024 * 1024
"""Of a body; thousands of rules fit."""


def create_app(settings: Settings, *, upstreams: Upstreams | None = None) -> FastAPI:
    """Build the application; nothing is opened before its lifespan starts.

    `app.state.settings` are the settings it works with, those of the demo filled in. Raises SettingsError for a
    response profile that contradicts itself, and whatever preparing the demo raises.
    """
    world = upstreams or Upstreams()
    sample: Mapping[str, Any] | None = None
    if settings.demo:
        demo = prepare_demo(settings, world)
        settings, world, sample = demo.settings, demo.upstreams, demo.ruleset
    profile = make_profile(settings.response)
    sign_in = make_sign_in(settings.admin)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            state = await _open(settings, world, profile, sample, stack)
            if sign_in is not None:
                sign_in.learn_from(state["find_issuer"])
            yield state

    app = Application(
        title="Smart Routing for Enreach Voice",
        version=metadata.version("smartrouting"),
        summary="Decides where each incoming call should go.",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # A redirect would name the scheme and host this process sees: behind a proxy the key would go out over http.
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    app.state.settings = settings
    add_error_handlers(app)
    _add_routes(app, profile)
    add_documentation(app, models=(Ruleset,), sign_in=sign_in)
    app.add_middleware(IdentifyFirst, prefix="/admin")
    app.add_middleware(BodyLimit, prefix="/admin", most=_MAX_ADMIN_BYTES)
    app.add_middleware(RequestContext, timer=time.perf_counter, unlogged=_UNLOGGED)
    return app


def _add_routes(app: FastAPI, profile: ResponseProfile) -> None:
    app.include_router(make_webhook_router(profile.no_change_status))
    for router in (
        health_router,
        decisions_router,
        simulate_router,
        operations_router,
        rulesets_router,
        ruleset_drafts_router,
        ruleset_parts_router,
        shadow_router,
        replays_router,
        calendars_router,
        decision_tests_router,
        users_router,
        many_users_router,
        me_router,
        jobs_router,
        keys_router,
        authentication_router,
        audit_router,
    ):
        app.include_router(router)


async def _open(
    settings: Settings,
    upstreams: Upstreams,
    profile: ResponseProfile,
    sample: Mapping[str, Any] | None,
    stack: AsyncExitStack,
) -> dict[str, Any]:
    """Open every part and return the lifespan state; `stack` closes them in the opposite order."""
    parts = await _open_parts(settings, upstreams, profile, sample, stack)
    ruleset_state = make_ruleset_state(parts)
    background = await _start_background(parts, stack)
    start_ruleset_work(parts, ruleset_state, background, stack)
    return {
        **await open_people(parts, stack, background),
        **make_call_state(parts),
        **make_operation_state(parts),
        **ruleset_state,
    }


async def _open_parts(
    settings: Settings,
    upstreams: Upstreams,
    profile: ResponseProfile,
    sample: Mapping[str, Any] | None,
    stack: AsyncExitStack,
) -> Components:
    metrics = Metrics(version=metadata.version("smartrouting"), deadline_ms=settings.webhook.deadline_ms)
    stores = await open_stores(settings, stack)
    await _publish_rules(settings, stores, profile, sample, upstreams.clock())
    organisation = connect_organisation(settings, upstreams, stack)
    enreach_id_cache = EnreachIdCache(store=EnreachIdStore(database=stores.database))
    await enreach_id_cache.refresh()
    directory = make_directory(settings, organisation, stores, metrics, upstreams, agent_of=enreach_id_cache.agent_of)
    stack.push_async_callback(directory.aclose)
    live_ruleset = LiveRuleset(
        store=stores.rulesets, on_change=lambda rules: directory.select(rules.selection), interval=_RULEBOOK_SECONDS
    )
    await live_ruleset.refresh()
    journal = Journal(folder=settings.store.journal, clock=time.monotonic)
    journal.require_folder()
    stack.callback(journal.close)
    return Components(
        settings=settings,
        upstreams=upstreams,
        profile=profile,
        metrics=metrics,
        stores=stores,
        organisation=organisation,
        enreach=connect_enreach(settings.enreach, upstreams, stack),
        directory=directory,
        load_shedding=make_load_shedding(settings, directory, metrics),
        live_ruleset=live_ruleset,
        shadow=make_shadow(stores, live_ruleset, profile, metrics, upstreams),
        journal=journal,
        mover=JournalMover(journal=journal, sink=stores.decisions, options=MoverOptions()),
        export_call=open_spans(stack),
        key_use=KeyUse(await stores.key_uses.load()),
        enreach_id_cache=enreach_id_cache,
    )


async def _publish_rules(
    settings: Settings, stores: Stores, profile: ResponseProfile, sample: Mapping[str, Any] | None, now: float
) -> None:
    file = settings.rules.file
    document = sample if file is None else read_ruleset_file(file)
    if document is not None:
        await publish_at_start(
            document,
            store=stores.rulesets,
            profile=profile,
            region=settings.phone.default_region,
            comment="the demo's sample" if file is None else f"from the file {file.name}",
            now=now,
            replace=file is not None,
        )


async def _start_background(parts: Components, stack: AsyncExitStack) -> Background:
    save_uses = partial(save_key_use, parts)
    # Entered last and so left first: nothing runs any more when the last lines are moved.
    stack.push_async_callback(save_uses)
    stack.push_async_callback(parts.mover.drain)
    stack.push_async_callback(parts.shadow.aclose)
    start_operations = await open_operations(parts, stack)
    background = await stack.enter_async_context(Background())
    background.start("token", parts.organisation.tokens.keep_fresh)
    background.start("rulebook", parts.live_ruleset.follow)
    background.start("journal", parts.mover.run)
    background.repeat("key_use", save_uses, every=_KEY_USE_SECONDS)
    start_operations(background)
    return background
