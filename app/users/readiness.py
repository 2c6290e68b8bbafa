"""The administrator guide's checklist for one user, judged from what is known."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.settings import Framework, Role
from app.store.settings_documents import EVERYBODY, Confirmation
from app.users.enreach_users import EnreachIndex, EnreachSilence
from app.users.user import VoiceUser

__all__ = ["ASSIGNEE", "WEB_PHONE", "ItemGroup", "ItemState", "Readiness", "ReadinessItem", "ReadinessSources", "judge"]

WEB_PHONE = "web_phone_role"
"""An item that only an administrator can confirm, for one user or for everybody."""
ASSIGNEE = "default_assignee"
"""An item that only an administrator can confirm, for the whole organisation."""

_ROLES = "Required User Roles & Privileges in Voice for Dynamics 365"
_ENABLE = "Enable & Disable Users in Voice for Dynamics 365"
_ENTERPRISE = "Enterprise Calls"
_MAKE_PROFILE = "Make one with the Voice channel, or set framework to cif1 in the settings channel-provider."
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class ItemState(StrEnum):
    """What is known of one item."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"
    """Nobody could be asked, or nobody can be."""
    NOT_APPLICABLE = "not_applicable"


class ItemGroup(StrEnum):
    """What an item is needed for."""

    VOICE = "voice"
    ENTERPRISE_CALLS = "enterprise_calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessItem:
    """One line of the checklist."""

    id: str
    title: str
    group: ItemGroup
    state: ItemState
    reason: str
    what_to_do: str
    chapter: str
    """Of the administrator guide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The checklist of one user."""

    items: tuple[ReadinessItem, ...]

    def is_ready(self, group: ItemGroup) -> bool:
        """Tell whether nothing is missing or unknown; Enterprise Calls needs the items of Voice as well."""
        wanted = {ItemGroup.VOICE, group}
        good = {ItemState.OK, ItemState.NOT_APPLICABLE}
        return all(item.state in good for item in self.items if item.group in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessSources:
    """What the checklist needs beside the user."""

    enreach: EnreachIndex | EnreachSilence
    web_phone: Mapping[str, Confirmation]
    """Who confirmed a web-phone role for whom."""
    assignee: Confirmation | None
    """Who confirmed the `DefaultCrmAssignee` of the phone-call synchronisation."""
    has_default_assignee: bool = False
    """Whether the settings `phone-call-sync` name one."""
    framework: Framework = Framework.CIF1
    """Of the users' app."""
    with_work_calls: frozenset[str] | None = None
    """Users who have had work calls; `None` while calls are not synchronised."""


class _Verdict(NamedTuple):
    state: ItemState
    reason: str = ""
    what_to_do: str = ""


_OK = _Verdict(ItemState.OK)
_Judge = Callable[[VoiceUser, ReadinessSources], _Verdict]


def judge(voice: VoiceUser, sources: ReadinessSources) -> Readiness:
    """Judge every item, in the order of the guide."""
    items = []
    for item_id, title, chapter, judge_item in _APPLICATION_ITEMS if voice.user.is_application else _ITEMS:
        verdict = judge_item(voice, sources)
        group = ItemGroup.ENTERPRISE_CALLS if chapter == _ENTERPRISE else ItemGroup.VOICE
        items.append(ReadinessItem(id=item_id, title=title, group=group, chapter=chapter, **verdict._asdict()))
    return Readiness(items=tuple(items))


def _judge_application(voice: VoiceUser, _sources: ReadinessSources) -> _Verdict:
    if any(role.name == Role.VOICE_API_USER for role in voice.roles):
        return _OK
    return _Verdict(ItemState.MISSING, what_to_do="Assign the role Voice ApiUser to the application user.")


def _judge_active(voice: VoiceUser, _sources: ReadinessSources) -> _Verdict:
    if voice.user.active:
        return _OK
    remedy = "Enable the account, e.g. by giving its licence back."
    return _Verdict(ItemState.MISSING, "The account is disabled in Dynamics.", remedy)


def _judge_enreach(voice: VoiceUser, sources: ReadinessSources) -> _Verdict:
    enreach = sources.enreach
    if isinstance(enreach, EnreachSilence):
        return _Verdict(ItemState.UNKNOWN, enreach.reason, "Make Enreach reachable, then look again.")
    record = voice.user.record
    addresses = {(text or "").strip().casefold() for text in (voice.user.email, record.email)} - {""}
    if (record.enreach_id or "").casefold() in enreach.ids or any(each in enreach.by_address for each in addresses):
        return _OK
    reason = "Enreach knows neither the id nor an address of this user."
    remedy = "Create the user in Enreach, or set the Enreach e-mail when the addresses differ."
    return _Verdict(ItemState.MISSING, reason, remedy)


def _judge_web_phone(voice: VoiceUser, sources: ReadinessSources) -> _Verdict:
    found = sources.web_phone.get(voice.user.id) or sources.web_phone.get(EVERYBODY)
    if found:
        return _Verdict(ItemState.OK, _cite(found, "for everybody " if found.subject == EVERYBODY else ""))
    reason = "The Enreach API does not tell which role a user has."
    return _Verdict(ItemState.UNKNOWN, reason, "Look at the user's role in Voice Center, then confirm it here.")


def _judge_role(voice: VoiceUser, _sources: ReadinessSources) -> _Verdict:
    carriers = voice.list_carriers()
    if carriers:
        return _Verdict(ItemState.OK, "; ".join(role.describe() for role in carriers))
    remedy = "Enable the user: assign Voice User, or add them to a team that carries it."
    return _Verdict(ItemState.MISSING, what_to_do=remedy)


def _judge_id(voice: VoiceUser, sources: ReadinessSources) -> _Verdict:
    present, enreach = voice.user.record.enreach_id, sources.enreach
    if not present:
        remedy = "Run the id update; set the Enreach e-mail first when the addresses differ."
        return _Verdict(ItemState.MISSING, "No Enreach user id is set.", remedy)
    if isinstance(enreach, EnreachSilence):
        return _Verdict(ItemState.OK, "Set; Enreach could not be asked whether it is right.")
    if present.casefold() in enreach.ids:
        return _OK
    return _Verdict(ItemState.MISSING, "Enreach knows no user with this id.", "Run the id update with overwriting.")


def _judge_profile(voice: VoiceUser, sources: ReadinessSources) -> _Verdict:
    if sources.framework is Framework.CIF1:
        return _Verdict(ItemState.NOT_APPLICABLE, "Classic apps (CIF1) have no agent experience profiles.")
    if voice.profiles is None:
        return _Verdict(ItemState.MISSING, "This organisation has no agent experience profiles.", _MAKE_PROFILE)
    if not voice.profiles:
        return _Verdict(ItemState.MISSING, what_to_do="Enable the user, or add them to the agent experience profile.")
    return _Verdict(ItemState.OK, ", ".join(profile.name for profile in voice.profiles))


def _judge_email(voice: VoiceUser, _sources: ReadinessSources) -> _Verdict:
    if voice.user.email:
        return _OK
    return _Verdict(ItemState.MISSING, what_to_do="Set the primary e-mail address on the user form.")


def _judge_mobile(voice: VoiceUser, _sources: ReadinessSources) -> _Verdict:
    mobile = voice.user.mobile
    if mobile and _E164.fullmatch(mobile):
        return _OK
    reason = "The mobile number is not written in E.164." if mobile else "No mobile number is set."
    remedy = "Write it with plus and country code, digits only: +358123456789."
    return _Verdict(ItemState.MISSING, reason, remedy)


def _judge_assignee(_voice: VoiceUser, sources: ReadinessSources) -> _Verdict:
    if sources.has_default_assignee:
        return _Verdict(ItemState.OK, "Set in the settings phone-call-sync.")
    if sources.assignee:
        return _Verdict(ItemState.OK, _cite(sources.assignee))
    reason = "No interface tells what the configurator app holds."
    remedy = (
        "Set default_crm_assignee in the settings phone-call-sync; or look at DefaultCrmAssignee in the configurator's "
        "phone-call sync, then confirm it here."
    )
    return _Verdict(ItemState.UNKNOWN, reason, remedy)


def _judge_work_calls(voice: VoiceUser, sources: ReadinessSources) -> _Verdict:
    """A work call shows both: the mobile subscription, and the privacy default that no interface tells."""
    if sources.with_work_calls is None:
        return _Verdict(ItemState.NOT_APPLICABLE, "Calls are not synchronised (settings phone-call-sync).")
    if voice.user.id in sources.with_work_calls:
        return _Verdict(ItemState.OK, "Work calls of this user have been read.")
    reason = "No call of this user that is classified as work has been read yet."
    remedy = "Look at the subscription and at Work Privacy default in Voice Center, then make a call."
    return _Verdict(ItemState.UNKNOWN, reason, remedy)


def _cite(confirmed: Confirmation, scope: str = "") -> str:
    """Say who confirmed it, and what they noted."""
    return f"Confirmed {scope}by {confirmed.who}" + (f': "{confirmed.note}".' if confirmed.note else ".")


_Items = tuple[tuple[str, str, str, _Judge], ...]
"""Id, title, chapter of the guide, and how it is judged."""
_ITEMS: _Items = (
    ("dynamics_active", "Active in Dynamics", _ROLES, _judge_active),
    ("enreach_active", "A user in Enreach", _ROLES, _judge_enreach),
    (WEB_PHONE, "The Enreach role includes the web phone", _ROLES, _judge_web_phone),
    ("voice_user_role", "Voice User, directly or through a team", _ROLES, _judge_role),
    ("enreach_user_id", "Enreach user id", _ENABLE, _judge_id),
    ("agent_profile", "In an agent experience profile (CIF2)", _ENABLE, _judge_profile),
    ("email", "E-mail address in Dynamics", _ENTERPRISE, _judge_email),
    ("mobile", "Mobile number in E.164", _ENTERPRISE, _judge_mobile),
    (ASSIGNEE, "Default assignee of synchronised calls", _ENTERPRISE, _judge_assignee),
    ("work_calls", "Enreach Mobile in use, Work Privacy default is Work", _ENTERPRISE, _judge_work_calls),
)
_APPLICATION_ITEMS: _Items = (
    ("voice_api_user_role", "The application user has the role Voice ApiUser", _ROLES, _judge_application),
)
