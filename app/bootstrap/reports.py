"""Puts reports together, and starts what is counted, exported and told for them."""

from collections.abc import Awaitable, Callable
from functools import partial

from app.bootstrap.foundation import Foundation
from app.numbers.components import NumberComponents
from app.numbers.hygiene import Fault
from app.operations.schedule import Schedule
from app.operations.signed_hooks import HookMessage
from app.reports.components import ReportComponents, UserCounts, save_requests
from app.reports.digest import DigestSources, WeeklyDigest
from app.reports.export import make_export
from app.users.components import UserComponents

__all__ = ["open_reports"]

_REQUESTS_SECONDS = 10.0
_DIGEST_SECONDS = 60.0
_EXPORT_SECONDS = 5.0
_COUNT_TIME = "40 2 * * *"


def open_reports(
    foundation: Foundation,
    *,
    schedule: Schedule,
    lead: Callable[[], Awaitable[bool]],
    announce: Callable[[HookMessage], Awaitable[None]],
    numbers: NumberComponents,
    users: UserComponents,
) -> ReportComponents:
    """Make them; `lead` tells whether this process does the work of the leader, `announce` tells receivers."""
    stores, organisation, clock = foundation.stores, foundation.organisation, foundation.upstreams.clock
    reports = ReportComponents(
        store=stores.reports,
        heavy_work=foundation.heavy_work,
        users=UserCounts(store=stores.reports, assess_users=users.users.assess_all, clock=clock),
        read_settings=foundation.live_settings.read,
        clock=clock,
    )
    take_counts = partial(save_requests, stores.reports, organisation.client.take_counts, clock=clock)
    schedule.every(_REQUESTS_SECONDS, "report_requests", take_counts)
    schedule.daily(_COUNT_TIME, "user_counts", reports.users.count, leader=True)
    digest = _make_digest(foundation, numbers, announce)
    schedule.every(_DIGEST_SECONDS, "digest", partial(_do_as_leader, lead, digest.send_when_due))
    export = make_export(foundation.settings.reports, database=stores.database, client=organisation.background)
    if export is not None:
        schedule.every(_EXPORT_SECONDS, "report_exports", partial(_do_as_leader, lead, export.run_once))
    return reports


def _make_digest(
    foundation: Foundation, numbers: NumberComponents, announce: Callable[[HookMessage], Awaitable[None]]
) -> WeeklyDigest:
    async def count_unreadable() -> int:
        return (await numbers.hygiene.describe()).counts.get(Fault.UNREADABLE, 0)

    def list_rules() -> list[str]:
        return [rule.id for rule in foundation.live_ruleset.current().ruleset.rules if rule.enabled]

    return WeeklyDigest(
        store=foundation.stores.reports,
        sources=DigestSources(
            list_rules=list_rules,
            count_unreadable=count_unreadable,
            read_settings=foundation.live_settings.read,
            announce=announce,
        ),
        heavy_work=foundation.heavy_work,
        clock=foundation.upstreams.clock,
    )


async def _do_as_leader(lead: Callable[[], Awaitable[bool]], work: Callable[[], Awaitable[None]]) -> None:
    if await lead():
        await work()
