"""`create_app(settings)`: the FastAPI application and the components behind it."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import metadata
from typing import Any, cast

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from app.auth.access import IdentifyFirst
from app.bootstrap.access import make_sign_in
from app.bootstrap.components import State, open_components
from app.bootstrap.upstreams import Upstreams
from app.calls.api import PATH, make_webhook_router, simulate_router
from app.calls.api import router as calls_router
from app.calls.call_settings import make_profile
from app.calls.components import CallsState
from app.configurator.api import router as authentication_router
from app.configurator.events.api import events_router
from app.configurator.events.api import router as event_administration_router
from app.configurator.settings.api import router as settings_router
from app.console.api import add_console
from app.demo.setup import prepare_demo
from app.enterprise_calls.api import router as enterprise_calls_router
from app.numbers.api import router as numbers_router
from app.observability.requests import RequestContext
from app.operations.api import router as operations_router
from app.operations.golive.api import readiness_router
from app.operations.golive.api import router as golive_router
from app.operations.registrations.api import router as registrations_router
from app.operations.updates.api import router as updates_router
from app.reports.api import router as reports_router
from app.routing.ruleset import Ruleset
from app.rulesets.api import calendars_router
from app.rulesets.api import router as rulesets_router
from app.rulesets.drafts.api import decision_tests_router
from app.rulesets.drafts.api import parts_router as ruleset_parts_router
from app.rulesets.drafts.api import router as ruleset_drafts_router
from app.rulesets.replay.api import router as replays_router
from app.rulesets.replay.api import shadow_router
from app.rulesets.switches.api import router as switches_router
from app.rulesets.tables.api import router as tables_router
from app.rulesets.tables.content import MAX_TABLE_BYTES
from app.settings import Settings
from app.users.api import me_router
from app.users.api import router as users_router
from app.web.documentation import add_documentation
from app.web.errors import add_error_handlers
from app.web.health import Departure
from app.web.health import router as health_router
from app.web.limits import Admission, BodyLimit
from app.web.openapi import DESCRIPTION, SERVERS, TAGS, name_operation

__all__ = ["create_app"]

_PROBES = ("/health/live", "/health/ready")
"""Paths that do not wait behind other requests: a probe that is late has the service restarted."""
_UNLOGGED = (*_PROBES, "/metrics")
"""Paths without an access line: probes would drown everything else."""
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""The framework's own would export paths with phone numbers, and messages of errors (decision record 0011)."""
_MAX_ADMIN_BYTES = 1024 * 1024
"""Of a body; thousands of rules fit, and are parsed in the time a call can spare."""
_ROUTERS = (
    health_router,
    calls_router,
    simulate_router,
    operations_router,
    golive_router,
    readiness_router,
    registrations_router,
    updates_router,
    rulesets_router,
    ruleset_drafts_router,
    ruleset_parts_router,
    shadow_router,
    replays_router,
    calendars_router,
    decision_tests_router,
    switches_router,
    tables_router,
    users_router,
    numbers_router,
    me_router,
    enterprise_calls_router,
    authentication_router,
    settings_router,
    reports_router,
    event_administration_router,
    events_router,
)


class Application(FastAPI):
    """Hands a POST to the webhook before the framework looks at it, and lets everything else begin one by one.

    Its error layers, exit stacks and routers cost a call more than everything the rules do (decision record 0002). The
    route of the same path stays, for other methods and for the OpenAPI document.
    """

    def __init__(self, **options: Any) -> None:
        """Make an application with the options of the framework's own."""
        super().__init__(**options)
        self._admission = Admission()

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            if scope["path"] == PATH and scope["method"] == "POST":
                await cast(CallsState, scope["state"])["calls"].webhook(scope, receive, send)
                return
            if scope["path"] not in _PROBES:
                await self._admission.enter()
        await super().__call__(scope, receive, send)


def create_app(settings: Settings, *, upstreams: Upstreams | None = None) -> FastAPI:
    """Build the application; nothing is opened before its lifespan starts.

    `app.state.settings` are the settings it works with, those of the demo filled in. Raises SettingsError for a
    response profile that contradicts itself, and whatever preparing the demo raises.
    """
    world = upstreams or Upstreams()
    sample: Mapping[str, Any] | None = None
    emulators: Mapping[str, ASGIApp] = {}
    if settings.demo:
        demo = prepare_demo(settings, world)
        emulators = demo.emulators
        settings, world, sample = demo.settings, demo.upstreams, demo.ruleset
    profile = make_profile(settings.response)
    sign_in = make_sign_in(settings.admin)

    departure = Departure()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with AsyncExitStack() as stack:
            state = await open_components(settings, world, sample, stack, departure=departure)
            if sign_in is not None:
                sign_in.learn_from(state["find_issuer"])
            yield state

    app = Application(
        title="Smart Routing for Enreach Voice",
        version=metadata.version("smartrouting"),
        summary="Decides where each incoming call should go.",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        license_info={"name": "Proprietary", "identifier": "LicenseRef-Proprietary"},
        servers=SERVERS,
        generate_unique_id_function=name_operation,
        lifespan=lifespan,
        openapi_url=None,
        # A redirect would name the scheme and host this process sees: behind a proxy the key would go out over http.
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    app.state.settings = settings
    app.state.departure = departure
    add_error_handlers(app)
    app.include_router(make_webhook_router(profile.no_change_status))
    for router in _ROUTERS:
        app.include_router(router)
    for name, emulator in emulators.items():
        app.mount(f"/demo/{name}", emulator)
    add_console(app, sign_in=sign_in)
    add_documentation(app, models=(Ruleset,), sign_in=sign_in)
    app.add_middleware(IdentifyFirst, prefix="/admin")
    larger = {("PUT", f"{tables_router.prefix}/"): MAX_TABLE_BYTES}
    app.add_middleware(BodyLimit, prefix="/admin", most=_MAX_ADMIN_BYTES, larger=larger)
    app.add_middleware(RequestContext, timer=time.perf_counter, unlogged=_UNLOGGED)
    return app
