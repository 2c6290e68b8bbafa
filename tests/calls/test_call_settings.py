"""Settings in the domain's own terms."""

from typing import Any

import pytest

from app.calls.call_settings import make_profile, make_vip_rules
from app.routing.callers import CallerKind
from app.routing.decisions import DestinationKind
from app.routing.vip import VipCriterion, VipPolicy, VipRules
from app.routing.wire import FieldSpelling, ResponseProfile, Shape
from app.settings import ResponseSettings, SettingsError, VipSettings


def test_profile() -> None:
    """Every part of the response profile arrives."""
    settings = ResponseSettings.model_validate(
        {
            "no_change_status": 404,
            "fields": {"priority": {"key": "Prio", "shape": "number"}},
            "targets": {"queue": "q:{id}"},
        }
    )

    assert make_profile(settings) == ResponseProfile(
        no_change_status=404,
        fields={"priority": FieldSpelling("Prio", Shape.NUMBER)},
        targets={DestinationKind.QUEUE: "q:{id}"},
    )


def test_usual_profile_sends_verified_keys_only() -> None:
    """Without settings no field has a wire key, and no change is 204."""
    assert make_profile(ResponseSettings()) == ResponseProfile(no_change_status=204, fields={}, targets={})


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": {"key": "InitialTarget", "shape": "number"}},
        {"priority": {"key": "X", "shape": "number"}, "messages": {"key": "X", "shape": "list"}},
        {"priority": {"key": "X", "shape": "culture_map"}},
        {"messages": {"key": "X", "shape": "number"}},
    ],
)
def test_contradicting_profile_is_refused(fields: dict[str, Any]) -> None:
    """Two fields with one key, or a shape that does not fit, are told with the name of the variable."""
    with pytest.raises(SettingsError, match="SMARTROUTING_RESPONSE__FIELDS"):
        make_profile(ResponseSettings.model_validate({"fields": fields}))


def test_vip_rules() -> None:
    """Every part of the VIP settings arrives; by default preferred customers count, two parents up."""
    settings = VipSettings.model_validate(
        {
            "criteria": [
                {"table": "contact", "column": "new_tier", "op": "in", "value": ["a", "b"], "label": "is gold"}
            ],
            "account_depth": 3,
            "ambiguous": "unknown",
        }
    )

    assert make_vip_rules(settings) == VipRules(
        criteria=(
            VipCriterion(table=CallerKind.CONTACT, column="new_tier", op="in", value=("a", "b"), label="is gold"),
        ),
        account_depth=3,
        ambiguous=VipPolicy.UNKNOWN,
    )
    assert make_vip_rules(VipSettings()) == VipRules(
        criteria=(
            VipCriterion(
                table=CallerKind.ACCOUNT,
                column="accountcategorycode",
                op="is",
                value=1,
                label="is a preferred customer",
            ),
        ),
        account_depth=2,
        ambiguous=VipPolicy.ANY,
    )
