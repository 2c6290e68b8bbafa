"""Replays as jobs: started, watched, cancelled, and looked into call by call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from app.calls.store import DecisionStore
from app.errors import AppError, ConflictError, NotFoundError
from app.operations.store import Job, JobState, JobStore
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.decision_record import DecisionRecord
from app.routing.ruleset import Ruleset
from app.routing.trace import Trace
from app.routing.wire import ResponseProfile
from app.rulesets.comparison import Comparer
from app.rulesets.difference_counts import DifferenceCounts
from app.rulesets.effects import Names
from app.rulesets.loading import load_rules
from app.rulesets.replay import ReplayPlan, run_replay
from app.rulesets.repository import CURRENT, FoundRuleset, RulesetRepository
from app.rulesets.targets import TargetCatalogue
from app.store.audit import AuditStore

__all__ = ["ComparedCall", "Replays", "list_diffs"]

log = structlog.get_logger()

_KIND = "replay"
_MAX_AT_ONCE = 4
_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class ComparedCall:
    """One call of a replay with both explanations."""

    record: DecisionRecord
    before: Trace | None
    """By the revision that decided; `None` when it can no longer be read."""
    after: Trace


class Replays:
    """Runs a few replays at a time in this process; any process shows all of them."""

    def __init__(
        self,
        *,
        decisions: DecisionStore,
        jobs: JobStore,
        repository: RulesetRepository,
        profile: ResponseProfile,
        audit: AuditStore,
        targets: TargetCatalogue | None,
        clock: Callable[[], float],
    ) -> None:
        self._decisions = decisions
        self._jobs = jobs
        self._repository = repository
        self._profile = profile
        self._audit = audit
        self._targets = targets
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._starting = asyncio.Lock()

    async def start(self, ref: str, plan: ReplayPlan, *, author: str) -> Job:
        """Begin to replay recorded calls by a draft or a revision.

        Raises NotFoundError, InvalidInputError for rules that cannot run, ConflictError when enough replays are
        running here, and StoreError.
        """
        async with self._starting:
            if len(self._tasks) >= _MAX_AT_ONCE:
                raise ConflictError("four replays are running already; wait for one of them, or cancel it")
            found = await self._repository.find(ref)
            rules = await load_rules(found.document)
            total, now = await plan.count(self._decisions), self._clock()
            job = await self._jobs.start(_KIND, author=author, total=total, now=now)
            after = {"ruleset": found.ref, "label": found.label, "plan": asdict(plan)}
            await self._audit.add(at=now, who=author, what="replay.started", target=f"replay/{job.id}", after=after)
            task = asyncio.create_task(self._run(job.id, found, rules, plan), name=f"replay {job.id}")
            self._tasks[job.id] = task
            task.add_done_callback(lambda _: self._tasks.pop(job.id, None))
            return job

    async def find(self, job_id: str) -> Job:
        """Find a replay; raises NotFoundError and StoreError."""
        job = await self._jobs.get(job_id)
        if job is None or job.kind != _KIND:
            raise NotFoundError(f"there is no replay {job_id!r}")
        return job

    async def list_recent(self, *, limit: int) -> list[Job]:
        """List replays, the newest first."""
        return await self._jobs.list_recent(limit=limit, kind=_KIND)

    async def cancel(self, job_id: str) -> Job:
        """Ask a running replay to stop; what it found so far stays. Raises NotFoundError and ConflictError."""
        await self.find(job_id)
        if not await self._jobs.request_cancel(job_id):
            raise ConflictError("the replay has ended already")
        return await self.find(job_id)

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

    async def explain(self, job_id: str, decision_id: str) -> ComparedCall:
        """Explain one call by the rules that decided and by those of the replay; raises NotFoundError."""
        result = (await self.find(job_id)).result
        if not isinstance(result, Mapping):
            raise NotFoundError("the replay has no result yet")
        record = await self._decisions.get(decision_id)
        if record is None:
            raise NotFoundError("there is no such decision")
        rules = await load_rules(result["document"])
        before = await self._find_rules(record.revision)
        return ComparedCall(
            record,
            None if before is None else Comparer(before, self._profile).trace(record),
            Comparer(rules, self._profile).trace(record),
        )

    async def aclose(self) -> None:
        """Stop every replay of this process."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job_id: str, found: FoundRuleset, rules: CompiledRuleset, plan: ReplayPlan) -> None:
        try:
            await self._work(job_id, found, rules, plan)
        except asyncio.CancelledError:
            await self._fail(job_id, "the service was stopped")
            raise
        except AppError as error:
            log.warning("replay.failed", job=job_id, error=error.code)
            await self._fail(job_id, error.detail)
        except Exception:  # the boundary of a task: nobody above it would hear
            log.exception("replay.failed", job=job_id)
            await self._fail(job_id, "something went wrong; the log tells more")

    async def _work(self, job_id: str, found: FoundRuleset, rules: CompiledRuleset, plan: ReplayPlan) -> None:
        tally = DifferenceCounts(await self._find_names(rules.ruleset))

        async def report(done: int) -> bool:
            return await self._jobs.progress(job_id, done=done, now=self._clock())

        finished = await run_replay(
            Comparer(rules, self._profile), plan, tally, decisions=self._decisions, report=report
        )
        result = {
            "ruleset": {"ref": found.ref, "label": found.label, "version": found.version},
            "plan": asdict(plan),
            **tally.document(),
            "document": found.document,
        }
        end = self._jobs.finish if finished else self._jobs.cancel
        await end(job_id, result, now=self._clock())
        log.info("replay.ended", job=job_id, finished=finished, calls=tally.calls, changed=tally.changed)

    async def _find_names(self, ruleset: Ruleset) -> Names:
        """Learn what places are called, from both rulesets and, when it answers, from Enreach."""
        queues: Mapping[str, str | None] = {}
        try:
            if self._targets is not None:
                queues = (await self._targets.list_targets()).queues
            return Names(ruleset, await self._repository.read(CURRENT), queues=queues)
        except AppError as error:
            log.info("replay.names_incomplete", error=error.code)
            return Names(ruleset, queues=queues)

    async def _find_rules(self, number: int | None) -> CompiledRuleset | None:
        try:
            ruleset = Ruleset() if number is None else await self._repository.read(str(number))
            return compile_ruleset(ruleset, revision=number)
        except AppError:
            return None

    async def _fail(self, job_id: str, reason: str) -> None:
        try:
            await self._jobs.fail(job_id, reason, now=self._clock())
        except AppError as error:
            log.warning("replay.end_not_noted", job=job_id, error=error.code)


def list_diffs(result: Mapping[str, Any], *, group: int | None) -> list[Mapping[str, Any]]:
    """List the changed calls of a result, or those of one of its groups (from 0); raises NotFoundError."""
    diffs: list[Mapping[str, Any]] = result["diffs"]
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
