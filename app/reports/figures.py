"""The reports: each answers one question by adding sums up, one row for each period, also where nobody called."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import Any, Final

from app.reports.periods import Period
from app.reports.rollup import tell_milliseconds
from app.reports.rows import CallerRow, CallRow, CrmRow, LatencyRow, RecognitionRow, RuleRow, UserRow, WorkCallRow
from app.reports.store import ReportFilter, ReportStore, Sum
from app.routing.callers import CallerStatus
from app.routing.decisions import Outcome

__all__ = ["REPORTS", "ReportKind"]

_MIN_CALLS_SHOWN = 5
"""A share of fewer calls could point to a person (administrators may still find the calls in the decision log)."""


async def _report_calls(store: ReportStore, periods: Sequence[Period], wanted: ReportFilter) -> list[CallRow]:
    sums = await store.sum_calls(periods, wanted, "outcome", "in_time", "queue", "rule")
    rows = []
    for period, found in _split(periods, sums):
        outcomes, in_time, queues, rules = (_count(found, place) for place in range(4))
        rows.append(
            CallRow(
                period=period.start,
                calls=outcomes.total(),
                redirected=outcomes[Outcome.REDIRECT],
                disconnected=outcomes[Outcome.DISCONNECT],
                no_change=outcomes[Outcome.NO_CHANGE],
                in_time=in_time[True],
                by_queue=_name(queues) if wanted.queue is None else None,
                by_rule=_name(rules) if wanted.rule is None else None,
            )
        )
    return rows


async def _report_recognition(
    store: ReportStore, periods: Sequence[Period], wanted: ReportFilter
) -> list[RecognitionRow]:
    sums = await store.sum_calls(periods, wanted, "caller_status", "caller_cause", "vip")
    rows = []
    for period, found in _split(periods, sums):
        statuses, causes, vip = (_count(found, place) for place in range(3))
        rows.append(
            RecognitionRow(
                period=period.start,
                calls=statuses.total(),
                vip=vip[True],
                unavailable_by_cause=_name(causes),
                **{status.value: statuses[status] for status in CallerStatus},
            )
        )
    return rows


async def _report_rules(store: ReportStore, periods: Sequence[Period], wanted: ReportFilter) -> list[RuleRow]:
    sums = await store.sum_calls(periods, wanted, "rule", "outcome", "destination")
    rows = []
    for period, found in _split(periods, sums):
        calls = sum(item.calls for item in found)
        for item in sorted(found, key=lambda item: (-item.calls, item.members)):
            rule, outcome, destination = item.members
            rows.append(
                RuleRow(
                    period=period.start,
                    rule=rule or None,
                    outcome=Outcome(outcome),
                    destination=destination or None,
                    calls=item.calls,
                    share=round(item.calls / calls, 4),
                )
            )
    return rows


async def _report_latency(store: ReportStore, periods: Sequence[Period], wanted: ReportFilter) -> list[LatencyRow]:
    in_time = await store.sum_calls(periods, wanted, "in_time")
    buckets = await store.sum_latencies(periods, wanted)
    rows = []
    for (period, found), (_, punctual) in zip(_split(periods, buckets), _split(periods, in_time), strict=True):
        sketch = sorted((item.members[0], item.calls) for item in found)
        calls = sum(count for _, count in sketch)
        rows.append(
            LatencyRow(
                period=period.start,
                calls=calls,
                p50_ms=_find_quantile(sketch, 0.5),
                p90_ms=_find_quantile(sketch, 0.9),
                p99_ms=_find_quantile(sketch, 0.99),
                max_ms=_find_quantile(sketch, 1.0),
                in_time_share=_share(_count(punctual, 0)[True], calls),
            )
        )
    return rows


async def _report_crm(store: ReportStore, periods: Sequence[Period], wanted: ReportFilter) -> list[CrmRow]:
    sums = await store.sum_calls(periods, wanted, "caller_source")
    requests = await store.sum_requests(periods)
    rows = []
    for (period, found), (_, asked) in zip(_split(periods, sums), _split(periods, requests), strict=True):
        sources, purposes = _count(found, 0), _count(asked, 0)
        calls, mirrored = sources.total(), sources["mirror"]
        memory, last_known = sources["fresh"] + sources["negative"], sources["stale"] + sources["snapshot"]
        rows.append(
            CrmRow(
                period=period.start,
                calls=calls,
                looked_up=sources["live"],
                from_memory=memory,
                from_mirror=mirrored,
                last_known=last_known,
                nobody_asked=sources["none"],
                memory_share=_share(memory + mirrored, calls - sources["none"]),
                requests=purposes["calls"],
                requests_per_call=_share(purposes["calls"], calls) if wanted == ReportFilter() else None,
                other_requests=purposes["other"],
            )
        )
    return rows


async def _report_callers(store: ReportStore, periods: Sequence[Period], wanted: ReportFilter) -> list[CallerRow]:
    sums = await store.sum_calls(periods, wanted, "caller_status")
    rows = []
    for period, found in _split(periods, sums):
        statuses, repeated = _count(found, 0), sum(item.repeated for item in found)
        numbered = statuses.total() - statuses[CallerStatus.WITHHELD]
        shown = numbered >= _MIN_CALLS_SHOWN
        rows.append(
            CallerRow(
                period=period.start,
                calls=statuses.total(),
                with_number=numbered,
                withheld=statuses[CallerStatus.WITHHELD],
                repeated=repeated if shown else None,
                repeated_share=_share(repeated, numbered) if shown else None,
            )
        )
    return rows


async def _report_users(store: ReportStore, periods: Sequence[Period], _wanted: ReportFilter) -> list[UserRow]:
    counts = await store.list_user_counts(periods)
    names = [field.name for field in fields(UserRow) if field.name != "period"]
    return [
        UserRow(period.start, **{name: (found or {}).get(name) for name in names})
        for period, found in zip(periods, counts, strict=True)
    ]


async def _report_work_calls(store: ReportStore, periods: Sequence[Period], _wanted: ReportFilter) -> list[WorkCallRow]:
    rows = []
    for period, found in _split(periods, await store.sum_work_calls(periods)):
        outcomes, reasons = _count(found, 0), _count(found, 1)
        members = {name: outcomes[name] for name in ("synced", "pending", "skipped", "expired")}
        rows.append(WorkCallRow(period.start, calls=outcomes.total(), by_reason=_name(reasons), **members))
    return rows


_OF_DECISIONS: Final = "Fire drills count nowhere. Figures outlive the erasure of callers and name nobody."


@dataclass(frozen=True, slots=True)
class ReportKind:
    """One report there is."""

    name: str
    """The last part of its path."""
    question: str
    """What it answers."""
    row: type
    """What a row of it is."""
    make: Callable[[ReportStore, Sequence[Period], ReportFilter], Awaitable[Sequence[Any]]]
    """Makes it, one row or more for each period; raises StoreError."""
    note: str = _OF_DECISIONS
    """What else its readers should know."""
    of_decisions: bool = True
    """Whether it is about calls that were decided, which have a queue and a rule."""


REPORTS: Final = {
    kind.name: kind
    for kind in (
        ReportKind("calls", "What became of the calls?", CallRow, _report_calls),
        ReportKind("recognition", "Who was recognised, and why were others not?", RecognitionRow, _report_recognition),
        ReportKind("rules", "Which rules sent how many calls where?", RuleRow, _report_rules),
        ReportKind("latency", "How long did the answers take?", LatencyRow, _report_latency),
        ReportKind("crm", "Where did the knowledge about callers come from?", CrmRow, _report_crm),
        ReportKind("callers", "How often do people call again within a day?", CallerRow, _report_callers),
        ReportKind(
            "users",
            "How many users are ready for Voice?",
            UserRow,
            _report_users,
            note="Users are counted every night, and now when the last period is the present one.",
            of_decisions=False,
        ),
        ReportKind(
            "enterprise-calls",
            "What became of calls on mobiles and in Teams?",
            WorkCallRow,
            _report_work_calls,
            note="Calls are counted as long as they are kept (`enterprise_calls_days` of the settings `retention`).",
            of_decisions=False,
        ),
    )
}


def _split(periods: Sequence[Period], sums: Iterable[Sum]) -> list[tuple[Period, list[Sum]]]:
    found: list[list[Sum]] = [[] for _ in periods]
    for item in sums:
        found[item.period].append(item)
    return list(zip(periods, found, strict=True))


def _count(sums: Iterable[Sum], place: int) -> Counter[Any]:
    """Count calls by one member."""
    counter: Counter[Any] = Counter()
    for item in sums:
        counter[item.members[place]] += item.calls
    return counter


def _name(counts: Mapping[str, int]) -> dict[str, int]:
    """Leave out what has no name; most calls first."""
    return {name: calls for name, calls in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if name}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _find_quantile(sketch: Sequence[tuple[int, int]], quantile: float) -> float | None:
    """Find the bucket below which that part of the calls is."""
    if not sketch:
        return None
    wanted = quantile * sum(calls for _, calls in sketch)
    reached = accumulate(calls for _, calls in sketch)
    bucket = next(bucket for (bucket, _), calls in zip(sketch, reached, strict=True) if calls >= wanted)
    return round(tell_milliseconds(bucket), 2)
