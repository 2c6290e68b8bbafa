"""What changed between two rulesets."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.routing.diff import Change, diff_rulesets
from app.routing.ruleset import Ruleset, read_ruleset
from tests.routing.examples import leaf, make_document

OFFICE = {"time_zone": "Europe/Helsinki"}


def read(*rules: dict[str, object], **members: object) -> Ruleset:
    """Read a ruleset."""
    return read_ruleset(make_document(*rules, **members))


def test_same_rules_in_other_words() -> None:
    """Defaults that are spelled out change nothing."""
    assert (
        diff_rulesets(read({}), read({"enabled": True, "name": "", "then": {"redirect": "vip", "on_fail": None}})) == ()
    )


def test_every_part_is_compared() -> None:
    """Rules, destinations, calendars, tests and the default calendar are added, removed and changed."""
    test = {"name": "t", "call": {}, "expect": {}}
    old = read(
        {"id": "a", "when": leaf("caller.vip", "is", True), "enabled": False},
        {"id": "gone"},
        calendars={"office": OFFICE},
        tests=[test],
    )
    new = read(
        {"id": "new", "share": 5},
        {"id": "a", "when": leaf("caller.vip", "is", False)},
        calendars={"office": {"time_zone": "UTC"}},
        default_calendar="office",
        tests=[test | {"expect": {"rule": None}}],
    )

    assert diff_rulesets(old, new) == (
        Change(
            kind="changed",
            part="calendar",
            id="office",
            pointer="/calendars/office/time_zone",
            before="Europe/Helsinki",
            after="UTC",
        ),
        Change(
            kind="added",
            part="default_calendar",
            id="default_calendar",
            pointer="/default_calendar",
            after="office",
        ),
        Change(
            kind="removed",
            part="rule",
            id="gone",
            pointer="/rules/1",
            before={"id": "gone", "then": {"redirect": "vip"}},
        ),
        Change(
            kind="added",
            part="rule",
            id="new",
            pointer="/rules/0",
            after={"id": "new", "share": 5.0, "then": {"redirect": "vip"}},
        ),
        Change(kind="changed", part="rule", id="a", pointer="/rules/1/enabled", before=False, after=None),
        Change(kind="changed", part="rule", id="a", pointer="/rules/1/when/value", before=True, after=False),
        Change(kind="changed", part="test", id="t", pointer="/tests/0/expect", before={}, after={"rule": None}),
    )


def test_lists_are_compared_by_place_or_as_a_whole() -> None:
    """Lists of one length differ at places, others as a whole; true is not one."""

    def make(values: list[object]) -> Ruleset:
        return read({"when": leaf("call.parameters.DYN_X", "in", values)})

    assert [(c.pointer, c.before, c.after) for c in diff_rulesets(make(["a", 1]), make(["a", True]))] == [
        ("/rules/0/when/value/1", 1, True)
    ]
    assert [(c.pointer, c.after) for c in diff_rulesets(make(["a"]), make(["a", "b"]))] == [
        ("/rules/0/when/value", ["a", "b"])
    ]


def test_moved_rule() -> None:
    """One rule that went to the front has moved; those it passed have not."""
    old, new = read({"id": "a"}, {"id": "b"}, {"id": "c"}), read({"id": "c"}, {"id": "a"}, {"id": "b"})

    assert diff_rulesets(old, new) == (
        Change(kind="moved", part="rule", id="c", pointer="/rules/0", before=2, after=0),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_changes_lead_from_old_to_new(before: list[str], after: list[str]) -> None:
    """Without the removed and the moved rules, the old order is the new one without the added and the moved."""
    old, new = (read(*({"id": name} for name in names)) for names in (before, after))
    changed = {(change.kind, change.id) for change in diff_rulesets(old, new)}

    stayed = [name for name in before if not {("removed", name), ("moved", name)} & changed]

    assert stayed == [name for name in after if not {("added", name), ("moved", name)} & changed]
