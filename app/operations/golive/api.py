"""`/admin/readiness` and `/admin/handoff`: what is looked at the day before the first real call."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response, status

from app.auth.access import KeyHandoverDep, OperatorDep, SettingsManagerDep, StatusReaderDep
from app.operations.api import answer_started
from app.operations.golive.components import GoLiveComponents, GoLiveState
from app.operations.golive.handoff import Handoff
from app.operations.golive.schemas import HandoffBody, KeyChoice, ReadinessBody, ShownKeyBody
from app.operations.golive.sheet import make_sheet, write_html, write_markdown
from app.operations.schemas import JobBody
from app.web.limits import HeavyRoute
from app.web.parameters import OptionalIfMatchDep, StrictBody, tag
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["readiness_router", "router"]

router = APIRouter(prefix="/admin", tags=["Operations"])
readiness_router = APIRouter(prefix="/admin", tags=["Operations"], route_class=HeavyRoute)
_WRITTEN = {"text/markdown": write_markdown, "text/html": write_html}
_SAFE_PAGE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Vary": "Accept"}


async def _read_components(request: Request) -> GoLiveComponents:
    return read_state(request.scope, GoLiveState)["golive"]


GoLiveDep = Annotated[GoLiveComponents, Depends(_read_components)]


@readiness_router.get("/readiness", summary="Show whether real calls may come", responses=problems(503))
async def check_readiness(_reader: StatusReaderDep, golive: GoLiveDep) -> ReadinessBody:
    """Ask everything that must be right before the first real call, at once and within ten seconds.

    Each item says what to do. No item spends what calls need of Dataverse's request budget.
    """
    return ReadinessBody.of(await golive.readiness.inspect())


@router.get(
    "/handoff",
    summary="Show the hand-off",
    response_model=HandoffBody,
    responses={200: {"content": {media: {"schema": {"type": "string"}} for media in _WRITTEN}}, **problems(503)},
)
async def show_handoff(
    _manager: SettingsManagerDep,
    golive: GoLiveDep,
    response: Response,
    accept: Annotated[str, Header(description="`application/json`, `text/markdown` or `text/html`.")] = "*/*",
) -> HandoffBody | Response:
    """Show exactly what Enreach needs to set the queues up, and what to ask them; without the key."""
    found = await golive.handoffs.read()
    sheet = make_sheet(found.value, golive.read_settings())
    media = _choose(accept)
    if media is not None:
        response = Response(_WRITTEN[media](sheet), media_type=f"{media}; charset=utf-8", headers=_SAFE_PAGE)
        tag(response, found.version)
        return response
    tag(response, found.version)
    response.headers["Vary"] = "Accept"
    return HandoffBody.of(sheet)


@router.put("/handoff", summary="Set the hand-off", responses=problems(412, 422, 503))
async def set_handoff(
    body: StrictBody[Handoff],
    manager: SettingsManagerDep,
    version: OptionalIfMatchDep,
    golive: GoLiveDep,
    response: Response,
) -> HandoffBody:
    """Set what is agreed with Enreach; every version is kept, and the audit tells who changed what."""
    written = await golive.handoffs.write(body, version=version, who=manager.name)
    tag(response, written.version)
    return HandoffBody.of(make_sheet(written.value, golive.read_settings()))


@router.post("/handoff/key", summary="Show a key of the webhook once", responses=problems(404, 409, 412, 422, 503))
async def show_webhook_key(
    body: StrictBody[KeyChoice], who: KeyHandoverDep, golive: GoLiveDep, response: Response
) -> ShownKeyBody:
    """Show a key to hand over to Enreach; that leaves an audit record, and the key is not shown a second time."""
    response.headers["Cache-Control"] = "no-store"
    return ShownKeyBody.model_validate(await golive.handoffs.show_key(body.label, who=who.name))


@router.post(
    "/contract-test",
    summary="Test the live webhook as the queue calls it",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(409, 503),
)
async def start_contract_test(who: OperatorDep, golive: GoLiveDep, response: Response) -> JobBody:
    """Post every shape of request to the public URL of the hand-off; `/admin/jobs/{id}` shows what was answered.

    Its calls come from numbers that nobody has, are marked, and count nowhere.
    """
    return answer_started(await golive.contract_tests.start(who=who.name), response)


def _choose(accept: str) -> str | None:
    """Choose how to write it, or `None` for JSON: the first that is asked for by name."""
    for part in accept.split(","):
        media = part.partition(";")[0].strip().lower()
        if media in _WRITTEN:
            return media
        if media == "application/json":
            return None
    return None
