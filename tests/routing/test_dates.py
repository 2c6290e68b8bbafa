"""Dates as dates: operators that look at the day of the call, and what lint says about them."""

from datetime import UTC, datetime

import pytest

from app.errors import InvalidInputError
from app.routing.lint import lint_ruleset
from app.routing.ruleset import read_ruleset
from app.routing.wire import ResponseProfile
from tests.routing.examples import leaf, make_document, make_rules

HELSINKI = {"time_zone": "Europe/Helsinki"}
COLUMN = "caller.columns.new_contractend"
LATE_EVENING = datetime(2026, 3, 4, 21, 59, tzinfo=UTC).timestamp()
"""The last minute of 4 March in Helsinki."""
MIDNIGHT = LATE_EVENING + 60


def holds(value: object, op: str, days: object = None, now: float = LATE_EVENING, **members: object) -> bool:
    """Tell whether a rule of this one comparison decides."""
    rules = make_rules({"when": leaf(COLUMN, op, days)}, **(members or HELSINKI))
    return rules.decide({COLUMN: value, "caller.id": "c"}, now).rule is not None


@pytest.mark.parametrize(
    ("op", "days", "dates"),
    [
        ("before_today", None, ["2026-03-03", "2026-03-03T21:59:59Z", "2025-01-01T00:00:00+02:00"]),
        ("after_today", None, ["2026-03-05", "2026-03-04T22:00:00Z", "2026-03-05T00:00:00+02:00"]),
        ("within_days", 30, ["2026-03-04", "2026-04-03", "2026-03-03T22:00:00Z", "2026-03-04T08:00:00"]),
        ("within_days", -30, ["2026-03-04", "2026-02-02", "2026-02-01T22:00:00Z"]),
        ("within_days", 0, ["2026-03-04", "2026-03-04T21:59:59Z"]),
        ("older_than_days", 30, ["2026-02-01", "2025-03-04", "2026-02-01T21:59:59Z"]),
        ("older_than_days", 0, ["2026-03-03"]),
    ],
)
def test_dates_that_fit(op: str, days: object, dates: list[str]) -> None:
    """A date, or a moment by its date in the ruleset's time zone, is compared with the day of the call."""
    assert [date for date in dates if not holds(date, op, days)] == []


@pytest.mark.parametrize(
    ("op", "days", "dates"),
    [
        ("before_today", None, ["2026-03-04", "2026-03-03T22:00:00Z", "2027-01-01"]),
        ("after_today", None, ["2026-03-04", "2026-03-04T21:59:59Z"]),
        ("within_days", 30, ["2026-03-03", "2026-04-04", "2026-04-03T21:00:00Z"]),
        ("within_days", -30, ["2026-03-05", "2026-02-01"]),
        ("older_than_days", 30, ["2026-02-02", "2026-03-04"]),
        *(
            (op, days, ["-30d", "soon", "", 20260304, True, None, "0001-01-01T00:00:00+14:00"])
            for op, days in (("after_today", None), ("within_days", 30))
        ),
    ],
)
def test_dates_that_do_not(op: str, days: object, dates: list[object]) -> None:
    """Other dates do not fit, and what is no date lies nowhere."""
    assert [date for date in dates if holds(date, op, days)] == []


def test_day_begins_at_midnight_of_the_time_zone() -> None:
    """A minute later it is tomorrow in Helsinki, and not yet where nothing says a time zone."""
    assert [holds("2026-03-04", "before_today", now=now) for now in (LATE_EVENING, MIDNIGHT)] == [False, True]
    assert not holds("2026-03-04", "before_today", now=MIDNIGHT, calendars={})


def test_zone_of_the_default_calendar_counts_without_another() -> None:
    """A ruleset without a time zone counts days where its calendar is; with one, the calendar does not matter."""
    calendars = {"office": {"time_zone": "Europe/Helsinki"}}

    assert holds("2026-03-04", "before_today", now=MIDNIGHT, calendars=calendars)
    assert not holds("2026-03-04", "before_today", now=MIDNIGHT, calendars=calendars, time_zone="Europe/Lisbon")


def test_clock_on_the_wall_follows_the_ruleset() -> None:
    """Time of day and weekday are those of the ruleset's time zone, whatever its calendar says."""
    rules = make_rules(calendars={"office": {"time_zone": "America/New_York"}}, **HELSINKI)

    told = rules.tell_time(MIDNIGHT)

    assert (told["time.local"], told["time.weekday"]) == ("00:00", "thu")


def test_unknown_date_is_unknown() -> None:
    """A date that could not be learnt makes no comparison true, not even within `not`."""
    rules = make_rules({"when": {"not": leaf(COLUMN, "before_today")}}, **HELSINKI)

    assert rules.decide({}, LATE_EVENING).rule is None


def test_trace_tells_what_was_asked_of_a_date() -> None:
    """A rule that a date kept from matching says so."""
    rules = make_rules({"when": leaf("call.parameters.DYN_DUE", "within_days", 7)}, **HELSINKI)

    [miss] = rules.trace({"call.parameters.DYN_DUE": "2026-04-01"}, LATE_EVENING).near_misses

    assert miss.explanation.endswith('DYN_DUE is "2026-04-01" and must lie within these days from today: 7.')


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (leaf(COLUMN, "within_days", 30), []),
        (leaf(COLUMN, "lt", "2026-03-04"), []),
        (leaf(COLUMN, "between", ["2026-01-01", "2026-12-31T23:59:59Z"]), []),
        (leaf(COLUMN, "gt", "-30d"), [("wrong-date", "/rules/0/when/value")]),
        (leaf(COLUMN, "is", "tomorrow"), [("wrong-date", "/rules/0/when/value")]),
        (leaf("caller.columns.jobtitle", "before_today"), [("wrong-type", "/rules/0/when/op")]),
        (leaf("caller.name", "before_today"), [("wrong-type", "/rules/0/when/op")]),
        (leaf("call.parameters.DYN_DUE", "older_than_days", 3), []),
    ],
)
def test_lint(condition: dict[str, object], found: list[tuple[str, str]]) -> None:
    """A date column is compared with dates only, and operators on dates compare what may hold one."""
    columns = {"contact": {"new_contractend": "DateTime", "jobtitle": "String"}}
    ruleset = read_ruleset(make_document({"when": condition}, **HELSINKI))

    findings = lint_ruleset(ruleset, ResponseProfile(), known_columns=columns)

    assert [(finding.code, finding.pointer) for finding in findings] == found


@pytest.mark.parametrize("condition", [leaf(COLUMN, "before_today"), leaf("time.local", "lt", "12:00")])
def test_missing_zone_is_said(condition: dict[str, object]) -> None:
    """No time zone is silently UTC."""
    findings = lint_ruleset(read_ruleset(make_document({"when": condition})), ResponseProfile())

    assert [(finding.code, finding.severity) for finding in findings] == [("no-time-zone", "error")]


@pytest.mark.parametrize("days", ["30", 1.5, True, [1], None, 40_000])
def test_days_are_whole_numbers(days: object) -> None:
    """Days are counted, not written."""
    condition = {"fact": COLUMN, "op": "within_days", "value": days}

    with pytest.raises(InvalidInputError) as caught:
        read_ruleset(make_document({"when": condition}))

    assert [(finding.code, finding.pointer) for finding in caught.value.findings] == [
        ("wrong-value", "/rules/0/when/value")
    ]
