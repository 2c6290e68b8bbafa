"""Translates settings into the domain's own terms, which know nothing of settings."""

from app.routing.callers import CallerKind
from app.routing.decisions import DestinationKind
from app.routing.vip import VipCriterion, VipPolicy, VipRules
from app.routing.wire import FieldSpelling, ResponseProfile, Shape
from app.settings import ResponseSettings, SettingsError, VipSettings

__all__ = ["make_profile", "make_vip_rules"]


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
