"""The administrator guide's checklist for one user, judged from what is known."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.settings import Role
from app.store.settings_documents import EVERYBODY, Confirmation
from app.users.enreach_users import EnreachIndex, EnreachSilence
from app.users.user import VoiceUser

__all__ = ["ASSIGNEE", "WEB_PHONE", "ItemGroup", "ItemState", "Readiness", "ReadinessItem", "Surroundings", "judge"]

WEB_PHONE = "web_phone_role"
"""An item that only a person can confirm, for one user or for everybody."""
ASSIGNEE = "default_assignee"
"""An item that only a person can confirm, for the whole organisation."""

_ROLES = "Required User Roles & Privileges in Voice for Dynamics 365"
_ENABLE = "Enable & Disable Users in Voice for Dynamics 365"
_ENTERPRISE = "Enterprise Calls"
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
    group: ItemGroup = ItemGroup.VOICE
    state: ItemState
    reason: str = ""
    what_to_do: str = ""
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
class Surroundings:
    """What has to be known beside the person."""

    enreach: EnreachIndex | EnreachSilence
    web_phone: Mapping[str, Confirmation]
    """Who confirmed a web-phone role for whom."""
    assignee: Confirmation | None
    """Who confirmed the `DefaultCrmAssignee` of the phone-call synchronisation."""


def judge(voice: VoiceUser, surroundings: Surroundings) -> Readiness:
    """Judge every item."""
    if voice.user.is_application:
        return Readiness(items=(_judge_application(voice),))
    return Readiness(
        items=(
            _judge_active(voice),
            _judge_enreach(voice, surroundings.enreach),
            _judge_web_phone(voice, surroundings.web_phone),
            _judge_role(voice),
            _judge_id(voice, surroundings.enreach),
            _judge_email(voice),
            _judge_mobile(voice),
            _judge_assignee(surroundings.assignee),
        )
    )


def _judge_application(voice: VoiceUser) -> ReadinessItem:
    held = any(role.name == Role.VOICE_API_USER for role in voice.roles)
    return ReadinessItem(
        id="voice_api_user_role",
        title="The application user has the role Voice ApiUser",
        state=ItemState.OK if held else ItemState.MISSING,
        what_to_do="" if held else "Assign the role Voice ApiUser to the application user.",
        chapter=_ROLES,
    )


def _judge_active(voice: VoiceUser) -> ReadinessItem:
    active = voice.user.active
    return ReadinessItem(
        id="dynamics_active",
        title="Active in Dynamics",
        state=ItemState.OK if active else ItemState.MISSING,
        reason="" if active else "The account is disabled in Dynamics.",
        what_to_do="" if active else "Enable the account, e.g. by giving its licence back.",
        chapter=_ROLES,
    )


def _judge_enreach(voice: VoiceUser, enreach: EnreachIndex | EnreachSilence) -> ReadinessItem:
    state, reason, what_to_do = _look_in_enreach(voice, enreach)
    return ReadinessItem(
        id="enreach_active",
        title="A user in Enreach",
        state=state,
        reason=reason,
        what_to_do=what_to_do,
        chapter=_ROLES,
    )


def _look_in_enreach(voice: VoiceUser, enreach: EnreachIndex | EnreachSilence) -> tuple[ItemState, str, str]:
    if isinstance(enreach, EnreachSilence):
        return ItemState.UNKNOWN, enreach.reason, "Make Enreach reachable, then look again."
    record = voice.user.record
    addresses = {(text or "").strip().casefold() for text in (voice.user.email, record.email)} - {""}
    if (record.enreach_id or "").casefold() in enreach.ids or any(each in enreach.by_address for each in addresses):
        return ItemState.OK, "", ""
    reason = "Enreach knows neither the id nor an address of this user."
    return ItemState.MISSING, reason, "Create the user in Enreach, or set the Enreach e-mail when the addresses differ."


def _judge_web_phone(voice: VoiceUser, confirmed: Mapping[str, Confirmation]) -> ReadinessItem:
    found = confirmed.get(voice.user.id) or confirmed.get(EVERYBODY)
    scope = "for everybody " if found and found.subject == EVERYBODY else ""
    return ReadinessItem(
        id=WEB_PHONE,
        title="The Enreach role includes the web phone",
        state=ItemState.OK if found else ItemState.UNKNOWN,
        reason=_cite(found, scope) if found else "The Enreach API does not tell which role a user has.",
        what_to_do="" if found else "Look at the user's role in Voice Center, then confirm it here.",
        chapter=_ROLES,
    )


def _cite(confirmed: Confirmation, scope: str = "") -> str:
    """Say who confirmed it, and what they noted."""
    return f"Confirmed {scope}by {confirmed.who}" + (f': "{confirmed.note}".' if confirmed.note else ".")


def _judge_role(voice: VoiceUser) -> ReadinessItem:
    carriers = voice.list_carriers()
    return ReadinessItem(
        id="voice_user_role",
        title="Voice User, directly or through a team",
        state=ItemState.OK if carriers else ItemState.MISSING,
        reason="; ".join(role.describe() for role in carriers),
        what_to_do="" if carriers else "Enable the user: assign Voice User, or add them to a team that carries it.",
        chapter=_ROLES,
    )


def _judge_id(voice: VoiceUser, enreach: EnreachIndex | EnreachSilence) -> ReadinessItem:
    present = voice.user.record.enreach_id
    state, reason, what_to_do = ItemState.OK, "", ""
    if not present:
        state, reason = ItemState.MISSING, "No Enreach user id is set."
        what_to_do = "Run the id update; set the Enreach e-mail first when the addresses differ."
    elif isinstance(enreach, EnreachIndex) and present.casefold() not in enreach.ids:
        state, reason = ItemState.MISSING, "Enreach knows no user with this id."
        what_to_do = "Run the id update with overwriting."
    elif isinstance(enreach, EnreachSilence):
        reason = "Set; Enreach could not be asked whether it is right."
    return ReadinessItem(
        id="enreach_user_id",
        title="Enreach user id",
        state=state,
        reason=reason,
        what_to_do=what_to_do,
        chapter=_ENABLE,
    )


def _judge_email(voice: VoiceUser) -> ReadinessItem:
    present = bool(voice.user.email)
    return ReadinessItem(
        id="email",
        title="E-mail address in Dynamics",
        group=ItemGroup.ENTERPRISE_CALLS,
        state=ItemState.OK if present else ItemState.MISSING,
        what_to_do="" if present else "Set the primary e-mail address on the user form.",
        chapter=_ENTERPRISE,
    )


def _judge_mobile(voice: VoiceUser) -> ReadinessItem:
    mobile = voice.user.mobile
    state, reason = ItemState.OK, ""
    if not mobile:
        state, reason = ItemState.MISSING, "No mobile number is set."
    elif not _E164.fullmatch(mobile):
        state, reason = ItemState.MISSING, "The mobile number is not written in E.164."
    return ReadinessItem(
        id="mobile",
        title="Mobile number in E.164",
        group=ItemGroup.ENTERPRISE_CALLS,
        state=state,
        reason=reason,
        what_to_do="" if state is ItemState.OK else "Write it with plus and country code, digits only: +358123456789.",
        chapter=_ENTERPRISE,
    )


def _judge_assignee(confirmed: Confirmation | None) -> ReadinessItem:
    return ReadinessItem(
        id=ASSIGNEE,
        title="Default assignee of synchronised calls",
        group=ItemGroup.ENTERPRISE_CALLS,
        state=ItemState.OK if confirmed else ItemState.UNKNOWN,
        reason=_cite(confirmed) if confirmed else "No interface tells what the configurator app holds.",
        what_to_do=(
            ""
            if confirmed
            else "Look at DefaultCrmAssignee in the configurator's phone-call sync, then confirm it here."
        ),
        chapter=_ENTERPRISE,
    )
