"""Replays as jobs: started, watched, cancelled, and looked into call by call."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from app.calls.store import DecisionStore
from app.errors import AppError, ConflictError, NotFoundError, TooManyRequestsError
from app.operations.jobs import JobRunner, Progress
from app.operations.store import Job, JobState
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.decisions import DecisionRecord
from app.routing.rule_data import RuleData
from app.routing.ruleset import Ruleset
from app.routing.trace import Trace
from app.rulesets.replay.replayer import FindProfile, Replayer
from app.rulesets.replay.result import PlaceNames, ReplayPlan, ReplayResult, run_replay
from app.rulesets.repository import CURRENT, RulesetRepository
from app.rulesets.upstream_checks import EnreachTargets
from app.store.audit import AuditStore
from app.store.json_text import dump_text, load

__all__ = ["ExplainedCall", "ReplayJobs", "list_diffs"]

log = structlog.get_logger()

_KIND = "replay"
_MAX_RUNNING = 4
_MAX_RUNNING_OF_ROLE = 2
_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class ExplainedCall:
    """One call of a replay with both explanations."""

    record: DecisionRecord
    before: Trace | None
    """By the revision that decided; `None` when it can no longer be read."""
    after: Trace


class ReplayJobs:
    """Runs a few replays at a time in this process; any process shows all of them."""

    def __init__(
        self,
        *,
        decisions: DecisionStore,
        jobs: JobRunner,
        repository: RulesetRepository,
        find_profile: FindProfile,
        read_data: Callable[[], RuleData],
        audit: AuditStore,
        enreach: EnreachTargets | None,
        clock: Callable[[], float],
    ) -> None:
        self._decisions = decisions
        self._jobs = jobs
        self._repository = repository
        self._find_profile = find_profile
        self._read_data = read_data
        self._audit = audit
        self._enreach = enreach
        self._clock = clock
        self._running: Counter[str] = Counter()
        # Replays are shown by their own routes, to whoever may read decisions.
        jobs.unlist(_KIND)

    async def start(self, ref: str, plan: ReplayPlan, *, author: str, role: str) -> Job:
        """Begin to replay recorded calls by a draft or a revision.

        Raises NotFoundError, InvalidInputError for rules that cannot run, TooManyRequestsError when enough replays are
        running here or for the role, and StoreError.
        """
        if self._running.total() >= _MAX_RUNNING or self._running[role] >= _MAX_RUNNING_OF_ROLE:
            raise TooManyRequestsError("enough replays are running already; wait for one of them, or cancel it")
        self._running[role] += 1

        async def work(progress: Progress) -> object:
            try:
                result = await self._replay(rules, plan, progress)
                found_out = result.document()
                return {
                    "ruleset": shown,
                    "plan": asdict(plan),
                    **found_out,
                    # As texts, because a list of replays reads all of it and shows none.
                    "diffs": dump_text(found_out["diffs"]),
                    "document": dump_text(found.document),
                }
            finally:
                self._running[role] -= 1

        try:
            found = await self._repository.find(ref)
            shown = {"ref": found.ref, "label": found.label, "version": found.version}
            rules = await self._repository.load(found.document)
            job = await self._jobs.start(_KIND, work, author=author, total=await plan.count(self._decisions))
        except BaseException:
            self._running[role] -= 1
            raise
        after = {"ruleset": found.ref, "label": found.label, "plan": asdict(plan)}
        target = f"replay/{job.id}"
        await self._audit.add(at=self._clock(), who=author, what="replay.started", target=target, after=after)
        return job

    async def find(self, job_id: str) -> Job:
        """Find a replay; raises NotFoundError and StoreError."""
        return await self._jobs.show(job_id, kind=_KIND)

    async def list_recent(self, *, limit: int) -> list[Job]:
        """List replays, the newest first."""
        return await self._jobs.list_kind(_KIND, limit=limit)

    async def cancel(self, job_id: str) -> Job:
        """Ask a running replay to stop; what it found so far stays. Raises NotFoundError and ConflictError."""
        if (await self.find(job_id)).state is not JobState.RUNNING:
            raise ConflictError("the replay has ended already")
        return await self._jobs.stop(job_id, kind=_KIND)

    async def follow(self, job_id: str) -> AsyncIterator[Job]:
        """Give the replay now, whenever it has come further, and a last time when it has ended."""
        job = await self.find(job_id)
        yield job
        while job.state is JobState.RUNNING:
            await asyncio.sleep(_POLL_SECONDS)
            latest = await self.find(job_id)
            if latest != job:
                job = latest
                yield job

    async def explain(self, job_id: str, decision_id: str) -> ExplainedCall:
        """Explain one call by the rules that decided and by those of the replay; raises NotFoundError."""
        result = (await self.find(job_id)).result
        if not isinstance(result, Mapping):
            raise NotFoundError("the replay has no result yet")
        return await self._explain(decision_id, await self._repository.load(_open(result["document"])))

    async def explain_one(self, ref: str, decision_id: str) -> ExplainedCall:
        """Explain one recorded call by the rules that decided it and by a draft or a revision.

        Raises NotFoundError, InvalidInputError for rules that cannot run, and StoreError.
        """
        found = await self._repository.find(ref)
        return await self._explain(decision_id, await self._repository.load(found.document))

    async def _explain(self, decision_id: str, rules: CompiledRuleset) -> ExplainedCall:
        record = await self._decisions.get(decision_id)
        if record is None:
            raise NotFoundError("there is no such decision; a fresh one takes a moment to reach the database")
        before = await self._find_rules(record.revision)
        return ExplainedCall(
            record,
            None if before is None else Replayer(before, self._find_profile, self._read_data).trace(record),
            Replayer(rules, self._find_profile, self._read_data).trace(record),
        )

    async def _replay(self, rules: CompiledRuleset, plan: ReplayPlan, progress: Progress) -> ReplayResult:
        result = ReplayResult(await self._find_names(rules.ruleset))
        replayer = Replayer(rules, self._find_profile, self._read_data)
        await run_replay(replayer, plan, result, decisions=self._decisions, report=progress.report)
        log.info("replay.ended", stopped=progress.stopped, calls=result.calls, changed=result.changed)
        return result

    async def _find_names(self, ruleset: Ruleset) -> PlaceNames:
        """Learn what places are called, from both rulesets and, when it answers, from Enreach."""
        queues: Mapping[str, str | None] = {}
        try:
            if self._enreach is not None:
                queues = (await self._enreach.list_targets()).queues
            return PlaceNames(ruleset, await self._repository.read(CURRENT), queues=queues)
        except AppError as error:
            log.info("replay.names_incomplete", error=error.code)
            return PlaceNames(ruleset, queues=queues)

    async def _find_rules(self, number: int | None) -> CompiledRuleset | None:
        try:
            ruleset = Ruleset() if number is None else await self._repository.read(str(number))
            return compile_ruleset(ruleset, revision=number)
        except AppError:
            return None


def list_diffs(result: Mapping[str, Any], *, group: int | None) -> list[Mapping[str, Any]]:
    """List the changed calls of a result, or those of one of its groups (from 0); raises NotFoundError."""
    diffs: list[Mapping[str, Any]] = _open(result["diffs"])
    if group is None:
        return diffs
    if group >= len(result["groups"]):
        raise NotFoundError(f"the replay has no group {group}")
    wanted = result["groups"][group]
    return [
        diff
        for diff in diffs
        if (diff["before"]["to"], diff["after"]["to"], diff["fields"])
        == (wanted["before"], wanted["after"], wanted["fields"])
    ]


def _open(member: Any) -> Any:
    """Read a member of a result that is kept as text; earlier versions of the program kept it as it is."""
    return load(member) if isinstance(member, str) else member
