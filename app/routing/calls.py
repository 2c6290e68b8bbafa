"""One call, as the queue described it (Enreach contract, sections 1.3 and 2.2)."""

import json
from collections.abc import Callable, Mapping

import msgspec

from app.routing.numbers import PhoneNumber

__all__ = ["Call", "Scalar", "add_parameters", "read_call"]

Scalar = str | int | float | bool | None

_CULTURE = "DYN_PAR_Culture"


class Call(msgspec.Struct, frozen=True):
    """What is known about a call before anybody asked the CRM."""

    caller: PhoneNumber
    called: PhoneNumber
    target_id: str | None = None
    """The tag agreed with Enreach; several queues may share it."""
    call_id: str | None = None
    """The platform-wide id of the call."""
    queue_id: str | None = None
    """The queue the call is in now."""
    user_id: str | None = None
    internal: bool = False
    parameters: Mapping[str, Scalar] = {}
    """The `DYN_*` entries of the extra data; lists and objects as compact JSON text, `None` where nested too deep."""

    @property
    def culture(self) -> Scalar:
        """The caller's language, e.g. `en-GB`, where the queue sends it."""
        return self.parameters.get(_CULTURE)


def read_call(payload: Mapping[str, object], read: Callable[[object], PhoneNumber]) -> Call:
    """Read either generation of payload; whatever is missing, unknown or of an odd type is left out. Never raises."""
    extra = payload.get("extradata")
    extra = extra if isinstance(extra, Mapping) else {}
    return Call(
        caller=read(payload.get("anum")),
        called=read(payload.get("bnum")),
        target_id=_read_text(payload.get("targetid")),
        call_id=_read_text(extra.get("CallId")),
        queue_id=_read_text(extra.get("CurrQueueId")),
        user_id=_read_text(extra.get("CurrUserId")),
        internal=_read_flag(extra.get("IsInternalCaller")),
        parameters={name: _read_scalar(value) for name, value in extra.items() if name.startswith("DYN_")},
    )


def add_parameters(
    payload: Mapping[str, object], parameters: Mapping[str, object], culture: str | None
) -> Mapping[str, object]:
    """Return the payload with more `DYN_*` parameters and another language of the caller (`None` for the same)."""
    extra = payload.get("extradata")
    spoken = {} if culture is None else {_CULTURE: culture}
    more = {**(extra if isinstance(extra, Mapping) else {}), **parameters, **spoken}
    return {**payload, "extradata": more} if parameters or spoken else payload


def _read_text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _read_flag(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().casefold() == "true")


def _read_scalar(value: object) -> Scalar:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except RecursionError:
        # Nested a thousand deep: nothing a rule could test.
        return None
