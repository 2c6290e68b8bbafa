"""The reports: each answers one question by adding sums up, one row for each period, also where nobody called."""

import asyncio
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
from app.web.limits import HeavyWork

__all__ = ["REPORTS", "ReportKind"]

_MIN_CALLS_SHOWN = 5
"""A share of fewer calls would point to a person. It is no barrier: the next smaller figure may be had by subtraction,
and whoever reads reports reads the decision log too."""


def _arrange_calls(periods: Sequence[Period], wanted: ReportFilter, sums: Sequence[Sum]) -> list[CallRow]:
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


def _arrange_recognition(periods: Sequence[Period], _: ReportFilter, sums: Sequence[Sum]) -> list[RecognitionRow]:
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


def _arrange_rules(periods: Sequence[Period], _: ReportFilter, sums: Sequence[Sum]) -> list[RuleRow]:
    rows = []
    for period, found in _split(periods, sums):
        calls = sum(item.calls for item in found)
        if not found:
            rows.append(RuleRow(period.start, rule=None, outcome=None, destination=None, calls=0, share=None))
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


def _arrange_latency(
    periods: Sequence[Period], _: ReportFilter, in_time: Sequence[Sum], buckets: Sequence[Sum]
) -> list[LatencyRow]:
    rows = []
    for (period, found), (__, punctual) in zip(_split(periods, buckets), _split(periods, in_time), strict=True):
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


def _arrange_crm(
    periods: Sequence[Period], wanted: ReportFilter, sums: Sequence[Sum], requests: Sequence[Sum]
) -> list[CrmRow]:
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


def _arrange_callers(periods: Sequence[Period], _: ReportFilter, sums: Sequence[Sum]) -> list[CallerRow]:
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


def _arrange_users(
    periods: Sequence[Period], _: ReportFilter, counts: Sequence[Mapping[str, Any] | None]
) -> list[UserRow]:
    names = [field.name for field in fields(UserRow) if field.name != "period"]
    return [
        UserRow(period.start, **{name: (found or {}).get(name) for name in names})
        for period, found in zip(periods, counts, strict=True)
    ]


def _arrange_work_calls(periods: Sequence[Period], _: ReportFilter, sums: Sequence[Sum]) -> list[WorkCallRow]:
    rows = []
    for period, found in _split(periods, sums):
        outcomes, reasons = _count(found, 0), _count(found, 1)
        members = {name: outcomes[name] for name in ("synced", "pending", "skipped", "expired")}
        rows.append(WorkCallRow(period.start, calls=outcomes.total(), by_reason=_name(reasons), **members))
    return rows


Read = Callable[[ReportStore, Sequence[Period], ReportFilter], Awaitable[Sequence[Any]]]


def _sum_by(*names: str) -> Read:
    """Read sums of calls by members of `CallCell`."""
    return lambda store, periods, wanted: store.sum_calls(periods, wanted, *names)


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
    arrange: Callable[..., Sequence[Any]]
    """Makes rows of the periods, the filter and what was read, one row or more for each period."""
    reads: Sequence[Read]
    note: str = _OF_DECISIONS
    """What else its readers should know."""
    of_decisions: bool = True
    """Whether it is about calls that were decided, which have a queue and a rule."""

    async def make(
        self, store: ReportStore, periods: Sequence[Period], wanted: ReportFilter, heavy_work: HeavyWork
    ) -> Sequence[Any]:
        """Read what the database adds up, and make rows of it off the event loop. Raises StoreError."""
        found = await asyncio.gather(*(read(store, periods, wanted) for read in self.reads))
        return await heavy_work.run(self.arrange, periods, wanted, *found)


REPORTS: Final = {
    kind.name: kind
    for kind in (
        ReportKind(
            "calls",
            "What became of the calls?",
            CallRow,
            _arrange_calls,
            reads=(_sum_by("outcome", "in_time", "queue", "rule"),),
        ),
        ReportKind(
            "recognition",
            "Who was recognised, and why were others not?",
            RecognitionRow,
            _arrange_recognition,
            reads=(_sum_by("caller_status", "caller_cause", "vip"),),
        ),
        ReportKind(
            "rules",
            "Which rules sent how many calls where?",
            RuleRow,
            _arrange_rules,
            reads=(_sum_by("rule", "outcome", "destination"),),
        ),
        ReportKind(
            "latency",
            "How long did the answers take?",
            LatencyRow,
            _arrange_latency,
            reads=(_sum_by("in_time"), ReportStore.sum_latencies),
        ),
        ReportKind(
            "crm",
            "Where did the knowledge about callers come from?",
            CrmRow,
            _arrange_crm,
            reads=(_sum_by("caller_source"), lambda store, periods, _: store.sum_requests(periods)),
        ),
        ReportKind(
            "callers",
            "How often do people call again within a day?",
            CallerRow,
            _arrange_callers,
            reads=(_sum_by("caller_status"),),
        ),
        ReportKind(
            "users",
            "How many users are ready for Voice?",
            UserRow,
            _arrange_users,
            reads=(lambda store, periods, _: store.list_user_counts(periods),),
            note="Users are counted every night, and now when the last period is the present one.",
            of_decisions=False,
        ),
        ReportKind(
            "enterprise-calls",
            "What became of calls on mobiles and in Teams?",
            WorkCallRow,
            _arrange_work_calls,
            reads=(lambda store, periods, _: store.sum_work_calls(periods),),
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
