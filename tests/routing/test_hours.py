"""Opening hours, also on the nights when clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidInputError
from app.routing.calendars import WEEKDAYS, Calendar, Days, OpeningHours, is_open, next_change
from app.routing.lint import lint_ruleset
from app.routing.ruleset import read_ruleset
from app.routing.wire import ResponseProfile
from tests.routing.examples import NOW, make_rules

HELSINKI = ZoneInfo("Europe/Helsinki")


def make_calendar(time_zone: str = "Europe/Helsinki", **members: object) -> Calendar:
    """Read a calendar as the ruleset file writes it."""
    return Calendar.model_validate({"time_zone": time_zone, **members})


OFFICE = make_calendar(
    weekly={"mon": ["08:00-12:00", "13:00-16:00"], "fri": ["22:00-02:00"], "sun": ["00:00-24:00"]},
    exceptions=[{"date": "2026-12-07", "open": ["10:00-11:00"]}, {"date": "2026-03-08"}],
    holidays={"country": "FI"},
)


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        pytest.param("2026-03-02T07:59", False, id="before"),
        pytest.param("2026-03-02T08:00", True, id="first minute"),
        pytest.param("2026-03-02T11:59:59", True, id="last second"),
        pytest.param("2026-03-02T12:00", False, id="lunch"),
        pytest.param("2026-03-02T13:00", True, id="after lunch"),
        pytest.param("2026-03-03T10:00", False, id="weekday without hours"),
        pytest.param("2026-03-06T23:00", True, id="before midnight"),
        pytest.param("2026-03-07T01:59", True, id="past midnight"),
        pytest.param("2026-03-07T02:00", False, id="end past midnight"),
        pytest.param("2026-03-01T23:59", True, id="whole day"),
        pytest.param("2026-03-08T12:00", False, id="closed by exception"),
        pytest.param("2026-12-07T10:30", True, id="opened by exception"),
        pytest.param("2026-12-07T08:30", False, id="exception replaces hours"),
        pytest.param("2026-04-06T10:00", False, id="Easter Monday"),
    ],
)
def test_open_by_the_local_clock(local: str, *, expected: bool) -> None:
    """Weekly hours, exceptions and holidays are read by the clock on the wall."""
    assert is_open(OFFICE, datetime.fromisoformat(local).replace(tzinfo=HELSINKI)) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-02T07:00+02:00", "2026-03-02T08:00+02:00"),
        ("2026-03-02T08:00+02:00", "2026-03-02T12:00+02:00"),
        ("2026-03-02T16:00+02:00", "2026-03-06T22:00+02:00"),
        ("2026-03-06T23:00+02:00", "2026-03-07T02:00+02:00"),
        ("2026-04-05T12:00+03:00", "2026-04-10T22:00+03:00"),
    ],
)
def test_next_change(now: str, expected: str) -> None:
    """The next opening or closing is found, over midnight, holidays and idle days."""
    moment = datetime.fromisoformat(now)

    assert next_change(OFFICE, moment) == datetime.fromisoformat(expected)


def test_skipped_hour_is_never_open() -> None:
    """Where the clock jumps from 03:00 to 04:00, hours within it do not exist, and hours around it shrink."""
    calendar = make_calendar(weekly={"sun": ["03:15-03:45", "04:00-05:00"]})
    night = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)

    opens = next_change(calendar, night)

    assert opens == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert next_change(calendar, datetime(2026, 3, 29, 1, 0, tzinfo=UTC)) == datetime(2026, 3, 29, 2, 0, tzinfo=UTC)


def test_repeated_hour_is_open_twice() -> None:
    """Where the clock falls back from 04:00 to 03:00, both passings of an interval are open."""
    calendar = make_calendar(weekly={"sun": ["03:15-03:45"]})
    now, changes = datetime(2026, 10, 24, 23, 0, tzinfo=UTC), []
    for _ in range(4):
        now = next_change(calendar, now) or now
        changes.append(f"{now:%H:%M}")

    assert changes == ["00:15", "00:45", "01:15", "01:45"]


def test_falling_back_into_hours_opens_again() -> None:
    """An interval that begins before the repeated hour and ends within it opens again when the clock falls back."""
    calendar = make_calendar(weekly={"sun": ["02:00-03:30"]})

    assert next_change(calendar, datetime(2026, 10, 25, 0, 45, tzinfo=UTC)) == datetime(2026, 10, 25, 1, 0, tzinfo=UTC)


def test_calendar_that_never_changes() -> None:
    """Always closed, or always open, has no next change."""
    always = make_calendar(weekly={day: ["00:00-24:00"] for day in WEEKDAYS})
    now = datetime(2026, 3, 4, tzinfo=UTC)

    assert (is_open(always, now), next_change(always, now)) == (True, None)
    assert (is_open(make_calendar(), now), next_change(make_calendar(), now)) == (False, None)


INTERVALS = st.sampled_from(["00:00-24:00", "08:00-16:00", "22:00-06:00", "02:30-03:30", "00:30-00:00", "23:00-22:00"])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["Europe/Helsinki", "America/Havana", "Australia/Lord_Howe", "America/Asuncion", "UTC"]),
    st.dictionaries(st.sampled_from(WEEKDAYS), st.lists(INTERVALS, max_size=2), max_size=7),
    st.datetimes(datetime(2023, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
)
def test_nothing_changes_before_the_next_change(zone: str, weekly: dict[str, list[str]], now: datetime) -> None:
    """Until the next change the answer stays, and at it the answer differs."""
    hours = OpeningHours(make_calendar(zone, weekly=weekly))
    state, change = hours.is_open(now), hours.next_change(now)

    until = now + timedelta(days=2) if change is None else min(change, now + timedelta(days=2))
    step, moment = timedelta(minutes=7), now
    while moment < until:
        assert hours.is_open(moment) is state
        moment += step
    if change is not None:
        assert hours.is_open(change) is not state
        assert hours.is_open(change - timedelta(seconds=1)) is state


def test_clock_facts_of_a_ruleset() -> None:
    """A ruleset tells the time of its default calendar, and every calendar by name."""
    calendars = {"office": {"time_zone": "Europe/Helsinki", "weekly": {"wed": ["08:00-16:00"]}}}
    night = {"night": {"time_zone": "Asia/Tokyo"}}
    noon = datetime(2026, 3, 4, 10, 0, 59, tzinfo=UTC).timestamp()

    two = make_rules(calendars=calendars | night, default_calendar="office")
    none = make_rules()

    assert two.tell_time(noon) == {
        "time.local": "12:00",
        "time.weekday": "wed",
        "time.open": True,
        "time.open.office": True,
        "time.open.night": False,
    }
    assert make_rules(calendars=calendars).tell_time(noon)["time.open"] is True
    assert none.tell_time(noon)["time.local"] == "10:00"
    assert str(none.tell_time(noon)["time.open"]).startswith("Unknown(cause=<Cause.NOT_CONFIGURED")


YEARS = make_calendar(
    weekly={day: ["08:00-16:00"] for day in WEEKDAYS},
    exceptions=[
        {"date": "2026-06-22/2026-08-02", "open": ["10:00-14:00"], "label": "summer hours"},
        {"dates": ["2026-02-16/2026-02-20", "2026-10-12/2026-10-16"], "label": "school holidays"},
        {"date": "12-24", "open": ["08:00-12:00"]},
        {"date": "12-27/01-06"},
        {"date": "02-29", "open": ["11:00-12:00"]},
        {"date": "2026-07-10"},
    ],
)


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        pytest.param("2026-06-21T09:00", True, id="before the range"),
        pytest.param("2026-06-22T09:00", False, id="first day"),
        pytest.param("2026-08-02T10:00", True, id="last day"),
        pytest.param("2026-08-03T09:00", True, id="after the range"),
        pytest.param("2027-07-01T09:00", True, id="another year"),
        pytest.param("2026-07-10T10:30", False, id="the last exception counts"),
        pytest.param("2026-02-18T09:00", False, id="in a list"),
        pytest.param("2026-10-12T09:00", False, id="second of a list"),
        pytest.param("2031-12-24T13:00", False, id="every year"),
        pytest.param("2031-12-24T09:00", True, id="hours of every year"),
        pytest.param("2031-12-27T09:00", False, id="before the end of a year"),
        pytest.param("2032-01-06T09:00", False, id="past the end of a year"),
        pytest.param("2032-01-07T09:00", True, id="after both"),
        pytest.param("2028-02-29T09:00", False, id="leap day"),
        pytest.param("2028-02-29T11:30", True, id="hours of a leap day"),
        pytest.param("2027-02-28T09:00", True, id="no leap day"),
    ],
)
def test_ranges_and_dates_of_every_year(local: str, *, expected: bool) -> None:
    """An exception is for one date, a range, a list of both, or any of these every year."""
    assert is_open(YEARS, datetime.fromisoformat(local).replace(tzinfo=HELSINKI)) is expected


@pytest.mark.parametrize(
    ("exception", "code"),
    [
        ({"open": ["08:00-12:00"]}, "no-date"),
        ({"date": "12-24", "dates": ["12-25"]}, "no-date"),
        ({"date": "24.12.2026"}, "wrong-date"),
        ({"date": "2026-02-30"}, "wrong-date"),
        ({"date": "2026-08-11/2026-06-06"}, "wrong-date"),
        ({"date": "2026-12-24/01-06"}, "wrong-date"),
        ({"dates": ["12-24", "13-01"]}, "wrong-date"),
    ],
)
def test_dates_that_cannot_be_meant_are_refused(exception: dict[str, object], code: str) -> None:
    """A date that is none, a range the wrong way round, and an exception without any are refused."""
    with pytest.raises(InvalidInputError) as refused:
        make_rules(calendars={"office": {"time_zone": "UTC", "exceptions": [exception]}})

    assert [finding.code for finding in refused.value.findings] == [code]


def test_exceptions_are_written_as_they_were_read() -> None:
    """Dates keep their spelling in drafts and revisions."""
    written = [
        {"date": "2026-12-24"},
        {"date": "12-22/01-06", "label": "around the new year"},
        {"dates": ["2026-06-06/2026-08-11", "12-24"], "open": ["10:00-14:00"]},
    ]
    office = {"time_zone": "UTC", "exceptions": written}

    assert make_calendar(**office).model_dump(mode="json", exclude_unset=True) == office


@given(
    first=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    length=st.integers(0, 400),
    other=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    other_length=st.integers(0, 60),
    yearly=st.booleans(),
    other_yearly=st.booleans(),
)
def test_days_that_cover_others_hold_each_of_them(
    first: date, length: int, other: date, other_length: int, *, yearly: bool, other_yearly: bool
) -> None:
    """What is called hidden never counts on any day."""
    wide = make_days(first, length % 300 if yearly else length, yearly=yearly)
    narrow = make_days(other, other_length, yearly=other_yearly)

    days = [date(2026, 1, 1) + timedelta(days=past) for past in range(1_200)]

    if wide.cover(narrow):
        assert all(wide.hold(day) for day in days if narrow.hold(day))


def make_days(first: date, length: int, *, yearly: bool) -> Days:
    """Make the days from one on, as a ruleset file writes them."""
    texts = [f"{day:%m-%d}" if yearly else day.isoformat() for day in (first, first + timedelta(days=length))]
    [days] = make_calendar(exceptions=[{"date": "/".join(texts)}]).exceptions[0].days
    return days


def test_lint_warns_of_exceptions_that_never_count_and_of_lists_that_are_over() -> None:
    """A date inside a later range, and school holidays of past years, are named where they stand."""
    exceptions = [
        {"date": "2026-07-10"},
        {"date": "2026-06-22/2026-08-02", "open": ["10:00-14:00"]},
        {"dates": ["2025-02-17/2025-02-21"]},
        {"dates": ["2025-02-17/2025-02-21", "2027-02-15/2027-02-19"]},
        {"date": "2025-12-24"},
    ]
    document = {"calendars": {"office": {"time_zone": "Europe/Helsinki", "exceptions": exceptions[:3]}}}
    covered = {"calendars": {"office": {"time_zone": "Europe/Helsinki", "exceptions": exceptions[3:]}}}

    found = lint_ruleset(read_ruleset(document), ResponseProfile(), now=NOW)

    assert [(finding.severity, finding.code, finding.pointer) for finding in found] == [
        ("warning", "hidden-exception", "/calendars/office/exceptions/0"),
        ("warning", "past-dates", "/calendars/office/exceptions/2/dates"),
    ]
    assert lint_ruleset(read_ruleset(covered), ResponseProfile(), now=NOW) == ()
