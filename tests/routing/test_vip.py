"""Criteria that make a record a VIP."""

import pytest

from app.routing.callers import CallerKind
from app.routing.vip import VipCriterion


@pytest.mark.parametrize(
    ("op", "value", "column", "expected"),
    [
        pytest.param("is", 1, 1, True, id="same-number"),
        pytest.param("is", "Gold", "gold", True, id="text-without-regard-to-case"),
        pytest.param("is", "1", 1, True, id="a-number-written-as-text"),
        pytest.param("is", "true", True, True, id="a-flag-written-as-text"),
        pytest.param("is", 1, None, False, id="empty-is-nothing"),
        pytest.param("is_not", 2, 1, True, id="another-number"),
        pytest.param("is_not", 2, None, False, id="empty-passes-no-test"),
        pytest.param("in", (1, 3), 3, True, id="one-of-several"),
        pytest.param("in", (), 3, False, id="one-of-none"),
        pytest.param("gt", 10, 10.5, True, id="greater"),
        pytest.param("gte", 10, 10, True, id="at-least"),
        pytest.param("lt", "2026-01-01", "2025-12-31", True, id="dates-as-text"),
        pytest.param("lte", 10, "9", False, id="text-and-numbers-have-no-order"),
        pytest.param("contains", "vip", "A VIP customer", True, id="text-in-text"),
        pytest.param("contains", 3, "1,3", True, id="a-choice-of-several"),
        pytest.param("contains", 3, "1,13", False, id="a-choice-is-not-a-digit"),
    ],
)
def test_a_criterion_holds(op, value, column, expected) -> None:
    """Each operator compares the way Dataverse would."""
    criterion = VipCriterion(table=CallerKind.CONTACT, column="new_vip", op=op, value=value)

    assert criterion.holds({"new_vip": column}) is expected


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        (VipCriterion(table=CallerKind.CONTACT, column="new_tier", value="Gold"), "has new_tier = Gold"),
        (VipCriterion(table=CallerKind.CONTACT, column="new_tier", op="in", value=(1, 2)), "has new_tier in 1, 2"),
        (VipCriterion(table=CallerKind.CONTACT, column="new_vip", value=True, label="is dear to us"), "is dear to us"),
    ],
)
def test_a_criterion_says_itself(criterion: VipCriterion, expected: str) -> None:
    """The label is the reason; without one the test is."""
    assert criterion.say() == expected
