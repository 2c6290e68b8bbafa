"""What lint finds before the first call comes."""

import pytest

from app.errors import Finding, InvalidInputError
from app.routing.lint import lint_ruleset
from app.routing.ruleset import read_ruleset
from app.routing.wire import FITTING_SHAPES, FieldSpelling, ResponseProfile, Shape
from tests.routing.examples import NOW, leaf, make_document

ALL_KEYS = ResponseProfile(fields={name: FieldSpelling(name, min(shapes)) for name, shapes in FITTING_SHAPES.items()})
COLUMNS = {"contact": ["jobtitle", "_ownerid_value"], "account": ["revenue"]}
VIP = leaf("caller.vip", "is", True)
TIER = "caller.columns.tier"


def lint(*rules: dict[str, object], profile: ResponseProfile = ALL_KEYS, **members: object) -> tuple[Finding, ...]:
    """Lint a ruleset."""
    document = make_document(*rules, **{"time_zone": "Europe/Helsinki", **members})
    return lint_ruleset(read_ruleset(document), profile, known_columns=COLUMNS, now=NOW)


def find(*rules: dict[str, object], **members: object) -> list[tuple[str, str, str]]:
    """Return severity, code and place of every finding."""
    return [(finding.severity, finding.code, finding.pointer) for finding in lint(*rules, **members)]


def test_sound_ruleset_has_no_findings() -> None:
    """Nothing is found where nothing is wrong."""
    sound = {
        "when": {"all": [VIP, leaf("time.local", "between", ["22:00", "06:00"]), {"not": leaf("call.id", "exists")}]},
        "then": {
            "redirect": "vip",
            "required_agent": "caller.owner_agent",
            "preferred_agents": ["caller.columns._ownerid_value", "call.parameters.DYN_AGENT"],
            "priority": 1,
        },
    }

    assert lint(sound, {"when": leaf("account.columns.revenue", "gt", 5)}, {"then": {"no_change": True}}) == ()


@pytest.mark.parametrize(
    ("condition", "severity", "code", "place"),
    [
        (leaf(TIER, "is", "x"), "error", "unknown-column", "/fact"),
        (leaf("account.columns.x", "is", "x"), "error", "unknown-column", "/fact"),
        (leaf("call.parameters.PAR", "is", "x"), "error", "unknown-parameter", "/fact"),
        (leaf("time.open.night", "is", True), "error", "unknown-calendar", "/fact"),
        (leaf("time.open", "is", True), "error", "unknown-calendar", "/fact"),
        (leaf("caller.vip", "is", "true"), "error", "wrong-type", "/value"),
        (leaf("caller.vip", "is", 1), "error", "wrong-type", "/value"),
        (leaf("caller.vip", "gt", 1), "error", "wrong-type", "/op"),
        (leaf("caller.vip", "contains", "t"), "error", "wrong-type", "/op"),
        (leaf("caller.matches", "is", "1"), "error", "wrong-type", "/value"),
        (leaf("caller.matches", "is", True), "error", "wrong-type", "/value"),
        (leaf("caller.matches", "gt", True), "error", "wrong-type", "/op"),
        (leaf("caller.matches", "starts_with", "1"), "error", "wrong-type", "/op"),
        (leaf("caller.matches", "in", [1, "2"]), "error", "wrong-type", "/value"),
        (leaf("caller.matches", "between", [3, 1]), "error", "empty-range", "/value"),
        (leaf("call.id", "between", ["b", "a"]), "error", "empty-range", "/value"),
        (leaf("call.parameters.DYN_X", "between", ["a", "B"]), None, "", ""),
        (leaf("caller.columns.jobtitle", "between", ["a", 1]), "error", "wrong-type", "/value"),
        (leaf("call.id", "is", 358), "error", "wrong-type", "/value"),
        (leaf("call.id", "contains", 358), "error", "wrong-type", "/op"),
        (leaf("call.parameters.DYN_X", "is", 5), "warning", "wrong-type", "/value"),
        (leaf("time.local", "gt", "8:00"), "error", "wrong-type", "/value"),
        (leaf("time.local", "starts_with", "08"), None, "", ""),
        (leaf("time.weekday", "in", ["mon", "monday"]), "error", "wrong-type", "/value"),
        (leaf("caller.status", "is", "Identified"), None, "", ""),
        (leaf("call.caller", "is", "0501234567"), "warning", "not-e164", "/value"),
        (leaf("call.called", "in", ["+358 9 123", "+358912345678"]), "warning", "not-e164", "/value"),
        (leaf("call.called", "starts_with", "358"), None, "", ""),
        (leaf("call.called", "starts_with", "00358912"), "warning", "not-e164", "/value"),
        (leaf("call.called", "ends_with", "78"), None, "", ""),
        (leaf("call.id", "is_unknown"), "warning", "never-unknown", ""),
        (leaf("time.local", "is_unknown"), "warning", "never-unknown", ""),
        (leaf("caller.status", "is_unknown"), "warning", "never-unknown", ""),
        (leaf("caller.name", "is_unknown"), None, "", ""),
    ],
)
def test_single_comparisons(condition: dict[str, object], severity: str | None, code: str, place: str) -> None:
    """A comparison that cannot be meant is named where it stands."""
    expected = [] if severity is None else [(severity, code, f"/rules/0/when{place}")]

    assert find({"when": condition}) == expected


def test_hints_say_what_to_write() -> None:
    """The way out is in the hint."""
    offices = {"calendars": {"night": {"time_zone": "UTC"}, "day": {"time_zone": "UTC"}}}
    conditions = [
        leaf("caller.columns.jobtitel", "exists"),
        leaf("time.open.nigth", "is", True),
        leaf("time.weekday", "is", "monn"),
        leaf("time.weekday", "is", "x"),
        leaf("call.id", "is", 5),
        leaf("caller.matches", "is", "5"),
        leaf("caller.matches", "is", True),
        leaf("time.open", "is", True),
    ]

    assert [finding.hint for finding in lint(*({"when": condition} for condition in conditions), **offices)] == [
        'did you mean "jobtitle"?',
        'did you mean "night"?',
        'did you mean "mon"?',
        "it is one of mon, tue, wed, thu, fri, sat, sun",
        'write "5" in quotes',
        "leave the quotes out",
        "",
        "set `default_calendar`",
    ]


def test_calendars_that_exist_are_never_unknown() -> None:
    """Opening hours of a calendar in the ruleset are always known."""
    offices = {"calendars": {"night": {"time_zone": "UTC"}}}

    assert find(
        {"when": leaf("time.open.night", "is_unknown")}, {"when": leaf("time.open", "is_unknown")}, **offices
    ) == [
        ("warning", "never-unknown", "/rules/0/when"),
        ("warning", "never-unknown", "/rules/1/when"),
    ]


def test_columns_are_checked_only_when_known() -> None:
    """Without a list of columns nothing is said about them."""
    ruleset = read_ruleset(make_document({"when": leaf(TIER, "exists")}))

    assert lint_ruleset(ruleset, ALL_KEYS) == ()
    assert lint_ruleset(ruleset, ALL_KEYS, known_columns={"account": []}) == ()


def test_actions() -> None:
    """Destinations, agents and wire keys must exist; what is not sent is said."""
    rules: list[dict[str, object]] = [
        {"when": VIP, "then": {"redirect": "vipp", "on_fail": "outt"}},
        {"when": leaf("call.id", "is", "1"), "then": {"redirect_to_agent": "caller.name"}},
        {"when": leaf("call.id", "is", "2"), "then": {"redirect": "vip", "preferred_agents": [TIER, "call.country"]}},
        {"when": leaf("call.id", "is", "3"), "then": {"no_change": True, "on_fail": "out", "priority": 1}},
        {"when": leaf("call.id", "is", "4"), "then": {"disconnect": True, "on_fail": "out"}},
    ]
    profile = ResponseProfile(fields={"preferred_agents": FieldSpelling("A", Shape.LIST)})

    assert find(*rules, profile=profile) == [
        ("error", "unknown-destination", "/rules/0/then/redirect"),
        ("error", "unknown-destination", "/rules/0/then/on_fail"),
        ("error", "no-agent-fact", "/rules/1/then/redirect_to_agent"),
        ("error", "unknown-column", "/rules/2/then/preferred_agents/0"),
        ("error", "no-agent-fact", "/rules/2/then/preferred_agents/1"),
        ("error", "no-wire-key", "/rules/3/then/priority"),
        ("warning", "lost-field", "/rules/3/then/priority"),
        ("warning", "lost-field", "/rules/3/then/on_fail"),
        ("warning", "lost-field", "/rules/4/then/on_fail"),
    ]


def test_limits() -> None:
    """Validity that is empty or past, and a share of nobody, are named."""
    first, last = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"

    assert find(
        {"valid_from": last, "valid_until": first},
        {"valid_from": first, "valid_until": last},
        {"valid_from": last},
        {"share": 0},
    ) == [
        ("error", "empty-validity", "/rules/0/valid_until"),
        ("warning", "expired", "/rules/1/valid_until"),
        ("warning", "no-share", "/rules/3/share"),
    ]


@pytest.mark.parametrize(
    ("conditions", "met"),
    [
        ([leaf("call.id", "is", "A"), leaf("call.id", "is", "a")], True),
        ([leaf("call.id", "is", "A"), leaf("call.id", "is", "B")], False),
        ([leaf("call.id", "in", ["A", "B"]), leaf("call.id", "in", ["C", "B"])], True),
        ([leaf("call.id", "in", ["A", "B"]), leaf("call.id", "not_in", ["A", "B"])], False),
        ([leaf("call.id", "is", "A"), leaf("call.id", "starts_with", "b")], False),
        ([leaf("caller.vip", "is", True), leaf("caller.vip", "is_not", True)], False),
        ([leaf("caller.vip", "is", True), leaf("caller.vip", "is_unknown")], False),
        ([leaf("caller.vip", "is_unknown"), leaf("caller.vip", "is_unknown")], True),
        ([leaf("caller.matches", "gt", 3), leaf("caller.matches", "lt", 3)], False),
        ([leaf("caller.matches", "gte", 3), leaf("caller.matches", "lte", 3)], True),
        ([leaf("caller.matches", "gt", 3), leaf("caller.matches", "lt", 4)], True),
        ([leaf("caller.matches", "between", [1, 2]), leaf("caller.matches", "gt", 2)], False),
        ([leaf("time.local", "gt", "08:00"), leaf("time.local", "lt", "07:00")], True),
        ([leaf("call.id", "contains", "a"), leaf("call.id", "exists")], True),
        ([{"all": [leaf("call.id", "is", "A")]}, leaf("call.id", "is", "B")], False),
    ],
)
def test_contradictions(conditions: list[dict[str, object]], *, met: bool) -> None:
    """Conditions on one fact that no value can meet together are found wherever they are joined."""
    everywhere = [{"all": conditions}, {"any": [{"all": conditions}, VIP]}, {"not": {"all": conditions}}]
    places = ["/rules/0/when", "/rules/1/when/any/0", "/rules/2/when/not"]

    found = [finding for finding in find(*({"when": when} for when in everywhere)) if finding[1] == "contradiction"]

    assert found == ([] if met else [("error", "contradiction", place) for place in places])


def test_any_without_parts() -> None:
    """An alternative without alternatives is never true."""
    assert find({"when": {"all": [VIP, {"any": []}]}}) == [("error", "contradiction", "/rules/0/when/all/1")]


A, B = leaf("call.id", "is", "A"), leaf("call.country", "is_not", "FI")


@pytest.mark.parametrize(
    ("earlier", "later", "shadowed"),
    [
        ({"when": A}, {"when": {"all": [A, B]}}, True),
        ({"when": {"all": [A, B]}}, {"when": A}, False),
        ({"when": {"all": [B, {"all": [A]}]}}, {"when": {"all": [A, B]}}, True),
        ({}, {"when": A}, True),
        ({"enabled": False}, {"when": A}, False),
        ({}, {"when": A, "enabled": False}, False),
        ({"share": 50}, {"when": A}, False),
        ({"share": 100}, {"when": A}, True),
        ({"valid_from": "2026-01-01T00:00:00Z"}, {"when": A}, False),
        ({"valid_until": "2027-01-01T00:00:00Z"}, {"when": A}, False),
        ({"when": leaf("call.id", "in", ["A", "C"])}, {"when": {"all": [A, B]}}, True),
        ({"when": A}, {"when": leaf("call.id", "in", ["A", "C"])}, False),
        ({"when": leaf("call.id", "is", "a")}, {"when": A}, True),
        ({"when": leaf("call.id", "is", "1")}, {"when": leaf("call.country", "is", "1")}, False),
        ({"when": {"all": [A, B]}}, {"when": {"all": [A, VIP]}}, False),
        ({"when": {"all": [B, VIP]}}, {"when": {"all": [B, A]}}, False),
        ({"when": {"all": [B, leaf("call.id", "exists")]}}, {"when": {"all": [B, A]}}, False),
        ({"when": {"not": A}}, {"when": {"all": [{"not": A}, B]}}, True),
        ({"when": {"any": [A, B]}}, {"when": {"any": [B, A]}}, True),
        ({"when": {"any": [A, {"all": [B, VIP]}]}}, {"when": {"any": [{"all": [VIP, B]}, A]}}, True),
        ({"when": leaf("call.id", "exists")}, {"when": {"all": [leaf("call.id", "exists"), VIP]}}, True),
        ({"then": {"redirect_to_agent": "caller.owner_agent"}}, {"when": A}, False),
        (
            {"then": {"redirect_to_agent": "caller.owner_agent"}},
            {"when": {"all": [A, leaf("caller.owner_agent", "exists")]}},
            True,
        ),
    ],
)
def test_shadowed_rules(earlier: dict[str, object], later: dict[str, object], *, shadowed: bool) -> None:
    """A rule is named when an earlier one takes every call it could match."""
    assert find(earlier, later) == ([("warning", "shadowed-rule", "/rules/1")] if shadowed else [])


def test_rules_with_something_in_common_do_not_shadow() -> None:
    """Rules that share some conditions, however many do, leave calls to each other."""
    named = leaf("caller.name", "exists")
    pairs = [[B, named], [named, VIP], [named, A], [B, A]]

    assert find(*({"when": {"all": pair}} for pair in pairs)) == []


def test_shadowing_rule_is_named() -> None:
    """The first rule that takes the calls is named."""
    [finding] = lint({"id": "x", "when": A}, {"when": VIP}, {"when": {"all": [A, VIP]}})

    assert (finding.rule, finding.message) == (
        "r2",
        '"x" comes first and takes every call that this rule would match',
    )


def test_stored_tests() -> None:
    """Tests that fail, share a name or name no rule are found; a test of a missing rule is not also failing."""
    call = {"anum": "+358501234567"}
    tests = [
        {"name": "t", "call": call, "expect": {"rule": "r0"}},
        {"name": "t", "call": call, "expect": {"rule": "r1"}},
        {"name": "u", "call": call, "expect": {"rule": "r"}},
    ]

    findings = lint({"when": VIP}, {"when": A}, tests=tests)

    assert [(finding.severity, finding.code, finding.pointer) for finding in findings] == [
        ("warning", "duplicate-test", "/tests/1/name"),
        ("error", "unknown-rule", "/tests/2/expect/rule"),
        ("error", "failing-test", "/tests/0"),
        ("error", "failing-test", "/tests/1"),
    ]
    assert findings[2].message == ('test "t" came out as no change (no rule matched): rule should be "r0" and is null')
    assert findings[2].hint == "caller.vip is false and must be true"


def test_tests_do_not_run_without_their_destinations() -> None:
    """A ruleset that cannot be compiled has no failing tests."""
    tests = [{"name": "t", "call": {}, "expect": {"disconnect": True}}]

    assert find({"then": {"redirect": "nowhere"}}, tests=tests) == [
        ("error", "unknown-destination", "/rules/0/then/redirect")
    ]


@pytest.mark.parametrize(
    ("kind", "place", "code"),
    [
        ("number", "abc", "unusable-number"),
        ("number", "anonymous", "unusable-number"),
        ("number", "+1", "unusable-number"),
        ("number", "+358 40 123 4567", None),
        ("number", "040 1234567", None),
        ("number", "1234", None),
        ("queue", "abc", None),
        ("queue", "a\u200bc", "unusable-id"),
        ("user", "a\x07c", "unusable-id"),
        ("number", "1234\u200b", "unusable-id"),
    ],
)
def test_destinations_that_lead_nowhere(kind: str, place: str, code: str | None) -> None:
    """A number must be one that can be dialled, and no id may hold what nobody sees."""
    destinations = {"vip": {"kind": kind, "id": place}}

    found = find({"when": VIP}, destinations=destinations)

    assert found == ([] if code is None else [("error", code, "/destinations/vip/id")])


@pytest.mark.parametrize(
    ("member", "place"),
    [
        ({"at": "0001-01-01T00:00:00+14:00"}, "/tests/0/at"),
        ({"at": "9999-12-31T23:59:59-14:00"}, "/tests/0/at"),
        ({"caller": {"age_seconds": 1e300}}, "/tests/0/caller/age_seconds"),
        ({"caller": {"age_seconds": -1}}, "/tests/0/caller/age_seconds"),
        ({"caller": {"age_seconds": float("inf")}}, "/tests/0/caller/age_seconds"),
        ({"caller": {"age_seconds": float("nan")}}, "/tests/0/caller/age_seconds"),
    ],
)
def test_tests_at_times_out_of_reach(member: dict[str, object], place: str) -> None:
    """A test may not happen when no calendar can tell the time, nor with a caller who is known for ever."""
    test = {"name": "odd", "call": {"anum": "+358501234567"}, "expect": {"rule": None}, **member}

    with pytest.raises(InvalidInputError) as refused:
        lint(tests=[test])

    assert [finding.pointer for finding in refused.value.findings] == [place]
