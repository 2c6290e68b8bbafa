"""`/admin/switches`: turn something on or off for the next call, without a publish."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, status

from app.auth.access import RulesReaderDep, SwitchSetterDep
from app.auth.principals import Permission, Principal
from app.observability.redaction import redact_text
from app.rulesets.components import RulesetsState
from app.rulesets.switches.schemas import SwitchBody, SwitchList, SwitchState
from app.rulesets.switches.store import StoredSwitch
from app.rulesets.switches.switches import Switches
from app.web.parameters import StrictBody
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["router"]

router = APIRouter(prefix="/admin/switches", tags=["Rules"])

SwitchName = Annotated[
    str,
    Path(
        pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="Its name: letters, digits, `_` and `-`, at most 64; rules test it as `switch.<name>`.",
        openapi_examples={"emergency": {"value": "emergency"}},
    ),
]


async def _read_switches(request: Request) -> Switches:
    return read_state(request.scope, RulesetsState)["rulesets"].switches


SwitchesDep = Annotated[Switches, Depends(_read_switches)]


@router.get("", summary="List switches")
async def list_switches(reader: RulesReaderDep, switches: SwitchesDep) -> SwitchList:
    """List every switch as it is now; the last known states while the database is away."""
    return SwitchList(items=[_show(switch, switches, reader) for switch in await switches.list_all()])


@router.get("/{name}", summary="Show a switch", responses=problems(404, 422))
async def show_switch(name: SwitchName, reader: RulesReaderDep, switches: SwitchesDep) -> SwitchBody:
    """Show a switch as it is now."""
    return _show(await switches.show(name), switches, reader)


@router.put("/{name}", summary="Set a switch", responses=problems(409, 422, 503))
async def set_switch(
    name: SwitchName, body: StrictBody[SwitchState], who: SwitchSetterDep, switches: SwitchesDep
) -> SwitchBody:
    """Turn a switch on or off, and make it if there is none: the next call is decided by it, on every replica within
    two seconds. The last who sets it wins; the audit tells every change.
    """
    off_at = None if body.off_at is None else body.off_at.timestamp()
    switch = await switches.put(name, on=body.on, reason=body.reason, off_at=off_at, author=who.name)
    return _show(switch, switches, who)


@router.delete(
    "/{name}", summary="Delete a switch", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404, 409, 422, 503)
)
async def delete_switch(name: SwitchName, who: SwitchSetterDep, switches: SwitchesDep) -> None:
    """Delete a switch that the live rules do not test."""
    await switches.delete(name, author=who.name)


def _show(switch: StoredSwitch, switches: Switches, reader: Principal) -> SwitchBody:
    shown = SwitchBody.of(switch, switches.now)
    if reader.may(Permission.REVEAL_NUMBERS):
        return shown
    return shown.model_copy(update={"reason": redact_text(shown.reason)})
