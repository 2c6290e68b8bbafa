"""Who is on call, also on the nights when clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInputError
from app.routing.lint import lint_ruleset
from app.routing.rotas import Rota, find_turn, list_turns
from app.routing.rule_tests import run_tests
from app.routing.ruleset import read_ruleset
from app.routing.wire import FieldSpelling, ResponseProfile, Shape
from tests.routing.examples import leaf, make_rules

PEOPLE = {
    "aino": {"kind": "user", "id": "aino-id"},
    "mikko": {"kind": "user", "id": "mikko-id"},
    "mobile": {"kind": "number", "id": "+358401234567"},
    "desk": {"kind": "queue", "id": "desk-id"},
}
WEEKLY = {
    "time_zone": "Europe/Helsinki",
    "members": ["aino", "mikko", "mobile"],
    "period": "week",
    "start": "2026-03-02T08:00",
}
PREFERRED = ResponseProfile(fields={"preferred_agents": FieldSpelling("P", Shape.LIST)})


def make_rota(**members: object) -> Rota:
    """Read a rota as the ruleset file writes it."""
    return Rota.model_validate({**WEEKLY, **members})


def make_document(*rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Make a ruleset with a weekly rota called `on-call`."""
    numbered = [{"id": f"r{index}", **rule} for index, rule in enumerate(rules)]
    return {"destinations": PEOPLE, "rotas": {"on-call": WEEKLY}, "rules": numbered, **members}


def lint(document: dict[str, Any], now: float | None = None) -> list[tuple[str, str]]:
    """Return code and place of every finding."""
    return [(found.code, found.pointer) for found in lint_ruleset(read_ruleset(document), PREFERRED, now=now)]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-02T07:59+02:00", None),
        ("2026-03-02T08:00+02:00", "aino"),
        ("2026-03-09T07:59+02:00", "aino"),
        ("2026-03-09T08:00+02:00", "mikko"),
        ("2026-03-23T08:00+02:00", "aino"),
        ("2026-03-30T07:59+03:00", "aino"),
        ("2026-03-30T08:00+03:00", "mikko"),
        ("2026-10-26T07:59+02:00", "aino"),
        ("2026-10-26T08:00+02:00", "mikko"),
    ],
)
def test_members_take_turns_by_the_local_clock(at: str, expected: str | None) -> None:
    """A turn ends at eight in the morning, in winter, in summer, and after each change of clocks."""
    turn = find_turn(make_rota(), datetime.fromisoformat(at))

    assert (turn and turn.member) == expected


def test_a_swap_puts_somebody_else_in_the_place_of_whoever_has_the_turn() -> None:
    """The last swap in the list counts; turns end where a swap begins or ends."""
    rota = make_rota(
        swaps=[
            {"from": "2026-03-04", "to": "2026-03-06", "member": "mikko"},
            {"from": "2026-03-05T12:00", "to": "2026-03-05T18:00", "member": "desk"},
        ]
    )

    turns = list_turns(rota, datetime(2026, 3, 2, 6, 30, tzinfo=UTC), 6)

    assert [(turn.member, f"{turn.since:%d %H:%M}", f"{turn.until:%d %H:%M}", turn.swapped) for turn in turns] == [
        ("aino", "02 06:00", "03 22:00", False),
        ("mikko", "03 22:00", "05 10:00", True),
        ("desk", "05 10:00", "05 16:00", True),
        ("mikko", "05 16:00", "05 22:00", True),
        ("aino", "05 22:00", "09 06:00", False),
        ("mikko", "09 06:00", "16 06:00", False),
    ]


@pytest.mark.parametrize(
    ("zone", "start", "night", "hours"),
    [
        ("Europe/Helsinki", "2026-10-20T03:30", "2026-10-24T12:00:00+03:00", 25.0),
        ("Europe/Helsinki", "2026-03-20T03:30", "2026-03-28T12:00:00+02:00", 24.0),
        ("Europe/Helsinki", "2026-03-20T08:00", "2026-03-28T12:00:00+02:00", 23.0),
        ("Australia/Lord_Howe", "2026-04-01T01:45", "2026-04-04T12:00:00+11:00", 24.5),
        ("Pacific/Apia", "2011-12-25T08:00", "2011-12-29T12:00:00-10:00", 24.0),
    ],
    ids=["hour twice", "hour skipped", "short day", "half an hour twice", "day skipped"],
)
def test_nights_when_clocks_change(zone: str, start: str, night: str, hours: float) -> None:
    """A turn hands over once where its time comes twice, and later where its time is skipped."""
    rota = make_rota(time_zone=zone, period="day", start=start)

    turns = list_turns(rota, datetime.fromisoformat(night), 2)

    assert max((turn.until - turn.since) / timedelta(hours=1) for turn in turns) >= hours
    assert all(before.until == after.since and before.member != after.member for before, after in pairwise(turns))


@given(
    zone=st.sampled_from(["Europe/Helsinki", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kolkata"]),
    period=st.sampled_from(["hour", "12 hours", "day", "week", "2 weeks"]),
    start=st.integers(0, 500_000).map(lambda past: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=past)),
    minutes=st.integers(0, 600_000),
)
def test_there_is_always_exactly_one_turn(zone: str, period: str, start: datetime, minutes: int) -> None:
    """From the start on somebody is on call, the turns join without a gap, and nobody has two in a row."""
    rota = make_rota(time_zone=zone, period=period, start=f"{start:%Y-%m-%dT%H:%M}")
    now = start + timedelta(days=2, minutes=minutes)

    turns = list_turns(rota, now, 4)

    assert turns[0] == find_turn(rota, now)
    assert turns[0].since <= now < turns[0].until
    for before, after in pairwise(turns):
        assert before.until == after.since
        assert rota.members.index(after.member) == (rota.members.index(before.member) + 1) % 3


def test_a_rota_is_a_destination() -> None:
    """Whoever is on call gets the call, as target, in a split and when the target does not take it."""
    rules = make_rules(
        {"when": leaf("call.id", "is", "1"), "then": {"redirect": "desk", "on_fail": "on-call"}},
        {"when": leaf("call.id", "is", "2"), "then": {"split": {"on-call": 1, "desk": 0}}},
        {"then": {"redirect": "on-call"}},
        destinations=PEOPLE,
        rotas={"on-call": WEEKLY},
    )
    first, second = (datetime.fromisoformat(f"2026-03-{day}T12:00+02:00").timestamp() for day in ("03", "17"))

    decisions = [
        rules.decide({"call.id": call, "call.caller": "+358501234567", **rules.tell_time(now)}, now)
        for now in (first, second)
        for call in (None, "2", "1")
    ]

    assert [[place and place.id for place in (decision.target, decision.fail_target)] for decision in decisions] == [
        ["aino-id", None],
        ["aino-id", None],
        ["desk-id", "aino-id"],
        ["+358401234567", None],
        ["+358401234567", None],
        ["desk-id", "+358401234567"],
    ]


def test_stored_tests_say_who_is_on_call_at_a_moment() -> None:
    """A test with a moment expects the member; before the start the rule does not match, and the trace says why."""
    document = make_document(
        {"then": {"redirect": "on-call", "preferred_agents": ["rota.on-call"]}},
        tests=[
            {"name": "second week", "call": {"anum": None}, "at": "2026-03-10T12:00:00+02:00"}
            | {"expect": {"rule": "r0", "redirect": "mikko", "preferred_agents": ["mikko-id"]}},
            {"name": "nobody yet", "call": {"anum": None}, "at": "2026-03-01T12:00:00+02:00", "expect": {"rule": "r0"}},
            {"name": "told", "call": {"anum": None}, "facts": {"rota.on-call": "AINO"}}
            | {"expect": {"redirect": "aino", "preferred_agents": ["aino-id"]}},
        ],
    )

    results = run_tests(read_ruleset(document))

    assert [(result.passed, result.explanation) for result in results] == [
        (True, ""),
        (False, "rota.on-call has no value"),
        (True, ""),
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"then": {"redirect": "on-cal"}}, ("unknown-destination", "/rules/0/then/redirect")),
        ({"then": {"redirect_to_agent": "rota.off"}}, ("unknown-rota", "/rules/0/then/redirect_to_agent")),
        ({"then": {"redirect_to_agent": "rota.on-call"}}, ("no-agent-fact", "/rules/0/then/redirect_to_agent")),
        (
            {"when": leaf("rota.on-call", "is", "anio"), "then": {"no_change": True}},
            ("unknown-member", "/rules/0/when/value"),
        ),
        (
            {"when": leaf("rota.on-call", "is_unknown"), "then": {"no_change": True}},
            ("never-unknown", "/rules/0/when"),
        ),
    ],
)
def test_lint_finds_what_a_rota_cannot_be(rule: dict[str, Any], expected: tuple[str, str]) -> None:
    """A misspelled rota or member, and an agent that is a telephone number, are named where they stand."""
    assert lint(make_document(rule)) == [expected]


def test_a_later_rule_is_not_hidden_by_one_that_needs_somebody_on_call() -> None:
    """Before the rota's start the next rule decides."""
    assert lint(make_document({"then": {"redirect": "on-call"}}, {"then": {"redirect": "desk"}})) == []


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"time_zone": "Mars/Phobos"}, "unknown-time-zone", "/rotas/x/time_zone"),
        ({"period": "month"}, "wrong-period", "/rotas/x/period"),
        ({"period": "0 days"}, "wrong-period", "/rotas/x/period"),
        ({"period": 7}, "wrong-period", "/rotas/x/period"),
        ({"start": "2026-03-02T08:00Z"}, "wrong-moment", "/rotas/x/start"),
        ({"start": "2026-02-30"}, "wrong-moment", "/rotas/x/start"),
        ({"members": []}, "too-short", "/rotas/x/members"),
        ({"members": ["nobody"]}, "unknown-destination", "/rotas/x/members/0"),
        (
            {"swaps": [{"from": "2026-03-02", "to": "2026-03-02", "member": "aino"}]},
            "empty-swap",
            "/rotas/x/swaps/0",
        ),
        (
            {"swaps": [{"from": "2026-03-02", "to": "2026-03-03", "member": "on-call"}]},
            "unknown-destination",
            "/rotas/x/swaps/0/member",
        ),
    ],
)
def test_rotas_that_cannot_be_meant_are_refused(members: dict[str, Any], code: str, pointer: str) -> None:
    """A zone, period, moment or member that is none is named with its place."""
    document = {"destinations": PEOPLE, "rotas": {"x": {**WEEKLY, **members}}}
    try:
        found = lint(document)
    except InvalidInputError as error:
        found = [(finding.code, finding.pointer) for finding in error.findings]

    assert found == [(code, pointer)]


def test_a_rota_without_time_zone_or_with_the_name_of_a_destination_is_refused() -> None:
    """No rota is silently one of UTC, and a name means one thing."""
    bare = {key: value for key, value in WEEKLY.items() if key != "time_zone"}

    with pytest.raises(InvalidInputError) as refused:
        read_ruleset({"destinations": PEOPLE, "rotas": {"desk": bare}})
    assert [(finding.code, finding.pointer, finding.message) for finding in refused.value.findings] == [
        ("missing", "/rotas/desk", '"time_zone" is missing')
    ]
    with pytest.raises(InvalidInputError) as refused:
        read_ruleset({"destinations": PEOPLE, "rotas": {"desk": WEEKLY}})
    assert [(finding.code, finding.pointer) for finding in refused.value.findings] == [
        ("duplicate-name", "/rotas/desk")
    ]
