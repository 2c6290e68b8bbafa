"""What a call needs of the settings, translated into the domain's own terms; a call keeps what it began with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol

from app.routing.callers import CallerKind
from app.routing.decisions import Decision, DestinationKind, Outcome
from app.routing.numbers import PhoneNumber, make_number_reader
from app.routing.vip import VipCriterion, VipPolicy, VipRules
from app.routing.wire import FieldSpelling, ResponseProfile, Shape, WireAnswer, decision_document, encode_decision
from app.settings import ResponseSettings, Settings, SettingsError, VipSettings

__all__ = [
    "CallSettings",
    "LiveCallSettings",
    "SpelledDecision",
    "make_call_settings",
    "make_profile",
    "make_vip_rules",
]

_SPELLINGS_KEPT = 1024

SpelledDecision = tuple[Decision, WireAnswer, Mapping[str, object]]
"""A decision, its wire form, and its form in the decision log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """The settings of one moment."""

    version: int
    """That of the group `smart-routing`; 0 while nobody has saved any."""
    deadline: float
    """Total time for one answer, in seconds (0.05 to 4.9)."""
    region: str
    """ISO 3166-1 country of numbers without a country code."""
    read_number: Callable[[object], PhoneNumber]
    """Reads a number as a person of that country means it."""
    profile: ResponseProfile
    typed_parameter: str | None
    """The parameter with what callers typed; `None` when that is not looked up."""
    spell: Callable[[Decision], SpelledDecision]
    """Spells a decision by the profile; one that cannot be spelled has become no change."""


class LiveCallSettings(Protocol):
    """Knows which settings hold now, and which held before."""

    def call_settings(self) -> CallSettings:
        """Return the settings of a call that begins now."""

    def find_profile(self, version: int | None) -> ResponseProfile:
        """Return the profile by which a decision of this settings version was spelled, the present one if unknown."""


def make_call_settings(settings: Settings, *, version: int) -> CallSettings:
    """Translate the settings; raises SettingsError for a response profile that contradicts itself."""
    profile = make_profile(settings.response)
    typed = settings.dataverse.typed_lookup
    return CallSettings(
        version=version,
        deadline=settings.webhook.deadline_ms / 1000,
        region=settings.phone.default_region,
        read_number=make_number_reader(settings.phone.default_region),
        profile=profile,
        typed_parameter=typed.parameter if typed else None,
        spell=lru_cache(_SPELLINGS_KEPT)(partial(_spell_decision, profile=profile)),
    )


def make_profile(response: ResponseSettings) -> ResponseProfile:
    """Make the response profile; raises SettingsError when it contradicts itself."""
    try:
        return ResponseProfile(
            no_change_status=response.no_change_status,
            fields={
                name: FieldSpelling(field.key, Shape(field.shape), field.culture_key, field.text_key)
                for name, field in response.fields.items()
            },
            targets={DestinationKind(kind): template for kind, template in response.targets.items()},
        )
    except ValueError as error:
        raise SettingsError(f"SMARTROUTING_RESPONSE__FIELDS: {error}") from error


def make_vip_rules(vip: VipSettings) -> VipRules:
    """Make the rules by which a record is a VIP."""
    return VipRules(
        criteria=tuple(
            VipCriterion(
                table=CallerKind(criterion.table),
                column=criterion.column,
                op=criterion.op,
                value=criterion.value,
                label=criterion.label,
            )
            for criterion in vip.criteria
        ),
        account_depth=vip.account_depth,
        ambiguous=VipPolicy(vip.ambiguous.value),
    )


def _spell_decision(decision: Decision, profile: ResponseProfile) -> SpelledDecision:
    answer = encode_decision(decision, profile)
    if answer.reason:
        decision = Decision(outcome=Outcome.NO_CHANGE, rule=decision.rule, reason=answer.reason)
    return decision, answer, decision_document(decision)
