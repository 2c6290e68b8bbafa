"""The questions of go-live readiness, put to what this deployment consists of."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx

from app.bootstrap.foundation import Foundation
from app.bootstrap.stores import Stores
from app.bootstrap.upstreams import Organisation, open_http
from app.calls.drills import DrillScenario
from app.dataverse.check import CheckResult, check_organisation
from app.enreach.client import EnreachClient
from app.numbers.components import NumberComponents
from app.operations.deliveries import AlertDeliveries, ReceiverState
from app.operations.golive.components import GoLiveComponents
from app.operations.golive.contract_job import ContractTests
from app.operations.golive.handoff import Handoff, Handoffs
from app.operations.golive.judgements import (
    judge_alerts,
    judge_checks,
    judge_clock,
    judge_deadline,
    judge_decision_log,
    judge_drills,
    judge_networks,
    judge_response_keys,
    judge_ruleset,
    judge_secrets,
    judge_webhook_keys,
)
from app.operations.golive.public_url import check_public_url
from app.operations.golive.readiness import Answer, Question, Readiness, not_needed, ok, unknown, wrong
from app.operations.jobs import JobRunner
from app.operations.registrations.registrations import AppRegistrations
from app.routing.compiled import CompiledRuleset
from app.routing.decisions import DestinationKind
from app.rulesets.upstream_checks import EnreachTargets, check_enreach, find_lost_targets
from app.settings import Settings
from app.web.limits import HeavyWork

__all__ = ["Systems", "list_system_questions", "open_golive"]

_DRILL_SECONDS = 30 * 86_400.0
_LAST_BASIC = "application user"
_BASICS = frozenset({"Dataverse address", "Dataverse token", _LAST_BASIC})
_NO_ENREACH = "the Enreach API is not configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """What is asked before there is a running service too, by `smartrouting check`."""

    read_settings: Callable[[], Settings]
    read_rules: Callable[[], CompiledRuleset]
    read_handoff: Callable[[], Awaitable[Handoff]]
    organisation: Organisation
    enreach: EnreachClient | None
    clock: Callable[[], float]
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployment:
    """What only a running service can be asked for."""

    stores: Stores
    heavy_work: HeavyWork
    http: httpx.AsyncClient
    """The way to the public URL."""
    explain_journal: Callable[[], str]
    """Why the journal cannot be written; empty when it can."""
    list_receivers: Callable[[], Awaitable[Sequence[ReceiverState]]]
    count_numbers: Callable[[], Awaitable[Mapping[str, int]]]
    """Wrong numbers by fault."""


def open_golive(
    foundation: Foundation,
    jobs: JobRunner,
    deliveries: AlertDeliveries,
    numbers: NumberComponents,
    stack: AsyncExitStack,
) -> GoLiveComponents:
    """Make what the routes of go-live use."""
    clock, read_settings = foundation.upstreams.clock, foundation.live_settings.read
    handoffs = Handoffs(documents=foundation.stores.documents, settings=foundation.settings, clock=clock)

    async def count_numbers() -> Mapping[str, int]:
        return (await numbers.hygiene.describe()).counts

    async def read_handoff() -> Handoff:
        return (await handoffs.read()).value

    http = open_http(foundation.upstreams.public, stack)
    systems = Systems(
        read_settings=read_settings,
        read_rules=foundation.live_ruleset.current,
        read_handoff=read_handoff,
        organisation=foundation.organisation,
        enreach=foundation.enreach,
        clock=clock,
    )
    deployment = _Deployment(
        stores=foundation.stores,
        heavy_work=foundation.heavy_work,
        http=http,
        explain_journal=lambda: foundation.journal.health.detail,
        list_receivers=deliveries.list_states,
        count_numbers=count_numbers,
    )
    contract_tests = ContractTests(
        http=http,
        audit=foundation.stores.audit,
        jobs=jobs,
        handoffs=handoffs,
        read_settings=read_settings,
        clock=clock,
    )
    return GoLiveComponents(
        readiness=Readiness(questions=_Questions(systems, deployment).list_all(), clock=clock),
        handoffs=handoffs,
        contract_tests=contract_tests,
        read_settings=read_settings,
    )


def list_system_questions(systems: Systems) -> dict[str, Question]:
    """List the questions that are put to Dataverse and Enreach, by the ids of their items."""
    questions = _SystemQuestions(systems)
    return {
        "destinations": questions.ask_destinations,
        "clock": questions.ask_clock,
        "dataverse-token": questions.ask_token,
        "dataverse-privileges": questions.ask_privileges,
        "enreach": questions.ask_enreach,
    }


class _SystemQuestions:
    def __init__(self, systems: Systems) -> None:
        self._its = systems

    async def ask_destinations(self) -> Answer:
        ruleset, handoff = self._its.read_rules().ruleset, await self._its.read_handoff()
        ids = [queue for queue in handoff.queues if queue.queue_id]
        asked = any(spec.kind is not DestinationKind.NUMBER for spec in ruleset.destinations.values())
        if not asked and not ids:
            return not_needed("rules and hand-off name no queue and no user by id")
        if self._its.enreach is None:
            return unknown(f"{_NO_ENREACH}, so nobody can tell", "set SMARTROUTING_ENREACH__URL, __USER and __SECRET")
        targets = EnreachTargets(client=self._its.enreach)
        findings = await find_lost_targets(ruleset, targets, silence="warning")
        if silent := [finding.message for finding in findings if finding.severity == "warning"]:
            return unknown("; ".join(silent), "see enreach")
        lost = [
            f"{finding.pointer}: {finding.message}" + (f" ({finding.hint})" if finding.hint else "")
            for finding in findings
        ]
        if ids:
            known = {queue.casefold() for queue in (await targets.list_targets()).queues}
            lost += [
                f"the queue {each.name} of the hand-off is none of Enreach's"
                for each in ids
                if (each.queue_id or "").casefold() not in known
            ]
        if lost:
            return wrong("; ".join(lost), "correct the destination, or the queue id in the hand-off")
        return ok("Enreach knows every queue and user of the rules and the hand-off")

    async def ask_clock(self) -> Answer:
        return judge_clock((await self._its.organisation.people.probe()).headers.get("date", ""), self._its.clock())

    async def ask_token(self) -> Answer:
        return judge_checks(
            [result async for result in self._check_dataverse(basics=True)], absent="Dataverse was not asked"
        )

    async def ask_privileges(self) -> Answer:
        results = [result async for result in self._check_dataverse(basics=False)]
        if not results:
            return unknown("Dataverse cannot be asked as long as there is no token", "see dataverse-token")
        return judge_checks(results, absent="nothing is read from Dataverse")

    async def _check_dataverse(self, *, basics: bool) -> AsyncIterator[CheckResult]:
        settings, organisation = self._its.read_settings(), self._its.organisation
        async for result in check_organisation(
            client=organisation.people,
            tokens=organisation.tokens,
            dataverse=settings.dataverse,
            vip=settings.vip,
            voice=settings.voice,
            selection=self._its.read_rules().selection,
        ):
            if (result.name in _BASICS) is basics:
                yield result
            if basics and result.name == _LAST_BASIC:
                return

    async def ask_enreach(self) -> Answer:
        return judge_checks([await check_enreach(self._its.enreach)], absent=_NO_ENREACH)


class _Questions:
    def __init__(self, systems: Systems, deployment: _Deployment) -> None:
        self._systems = systems
        self._its = deployment
        self._clock = systems.clock

    def list_all(self) -> dict[str, Question]:
        """List them in the order in which they are shown."""
        systems = list_system_questions(self._systems)
        return {
            "public-url": self._ask_public_url,
            "webhook-keys": self._judge_settings(judge_webhook_keys),
            "networks": self._judge_settings(judge_networks),
            "deadline": self._judge_settings(judge_deadline),
            "ruleset": self._ask_ruleset,
            "destinations": systems["destinations"],
            "response-keys": self._ask_response_keys,
            "fire-drill": self._ask_drills,
            "decision-log": self._ask_log,
            "clock": systems["clock"],
            "secrets": self._ask_secrets,
            "alerts": self._ask_alerts,
            "dataverse-token": systems["dataverse-token"],
            "dataverse-privileges": systems["dataverse-privileges"],
            "enreach": systems["enreach"],
            "numbers": self._ask_numbers,
        }

    def _judge_settings(self, judge: Callable[[Settings], Answer]) -> Question:
        async def ask() -> Answer:
            return judge(self._systems.read_settings())

        return ask

    async def _ask_public_url(self) -> Answer:
        handoff, demo = await self._systems.read_handoff(), self._systems.read_settings().demo
        return await check_public_url(handoff.public_url, self._its.http, demo=demo, now=self._clock())

    async def _ask_ruleset(self) -> Answer:
        rules, store = self._systems.read_rules(), self._its.stores.rulesets
        live = None if rules.revision is None else await store.revision(rules.revision)
        drafts = [
            draft.name or draft.id
            for draft in await store.drafts.list_heads()
            if live is None or draft.updated_at > live.head.at
        ]
        region = self._systems.read_settings().phone.default_region
        handoff, now = await self._systems.read_handoff(), self._clock()
        return await self._its.heavy_work.run(judge_ruleset, rules, handoff, drafts, region=region, now=now)

    async def _ask_response_keys(self) -> Answer:
        systems = self._systems
        return judge_response_keys(systems.read_settings(), systems.read_rules(), await systems.read_handoff())

    async def _ask_drills(self) -> Answer:
        passed = await self._its.stores.decisions.list_drills(self._clock() - _DRILL_SECONDS)
        return judge_drills(passed, DrillScenario)

    async def _ask_log(self) -> Answer:
        health = self._its.stores.health
        answers = await health.check()
        silence = "" if answers else "it does not answer"
        database = silence if health.error is None else health.error.detail
        return judge_decision_log(journal=self._its.explain_journal(), database=database)

    async def _ask_secrets(self) -> Answer:
        stores = self._its.stores
        registrations = AppRegistrations(
            documents=stores.documents, readings=stores.registration_readings, clock=self._clock
        )
        found, _ = await registrations.read()
        return judge_secrets(self._systems.read_settings(), found, now=self._clock())

    async def _ask_alerts(self) -> Answer:
        return judge_alerts(self._systems.read_settings(), await self._its.list_receivers())

    async def _ask_numbers(self) -> Answer:
        counts = await self._its.count_numbers()
        found = ", ".join(f"{count} {fault}" for fault, count in sorted(counts.items()) if count)
        return ok(f"read; to correct: {found}" if found else "read; nothing to correct")
