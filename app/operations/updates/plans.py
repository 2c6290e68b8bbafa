"""Plans of updates, one for each environment: agreed with Enreach, installed, and closed by reading the version."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from app.errors import ConflictError, NotFoundError
from app.operations.alert_rules import FiringAlert
from app.operations.updates.releases import SolutionReader, SolutionState, VersionText, split_version
from app.store.settings_documents import SettingsDocumentStore, VersionedDocument

__all__ = ["Proof", "Step", "StoredPlan", "UpdatePlan", "UpdatePlans", "find_due", "find_next", "list_steps"]

_WARNING_DAYS: Final = (7, 1, 0)
"""So many days before the agreed date there is an alert, and one more after it."""
_Day = Annotated[date | None, Field(ge=date(1970, 1, 1), lt=date(3000, 1, 1))]


class UpdatePlan(BaseModel):
    """What is agreed, and what has been done; the day of a step that is not done yet is null."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "version": "1.4.0.0",
                    "agreed_on": "2030-01-15",
                    "package_received_on": "2030-01-10",
                    "installed_on": "2030-01-15",
                    "back_end_updated_on": "2030-01-15",
                }
            ]
        },
    )

    version: VersionText = Field(description="To be installed.", examples=["1.4.0.0"])
    agreed_on: _Day = Field(default=None, description="The day agreed with Enreach for the update.")
    package_received_on: _Day = Field(default=None, description="When Enreach's package was there.")
    installed_on: _Day = Field(default=None, description="When the Package Deployer had installed it.")
    back_end_updated_on: _Day = Field(default=None, description="When Enreach had updated its back end.")


class Proof(BaseModel):
    """The version that was read when a plan was closed."""

    model_config = ConfigDict(frozen=True)

    version: VersionText
    read_at: datetime
    who: str = Field(description="Who had it read.")


class StoredPlan(UpdatePlan):
    """A plan, and what closed it."""

    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of every update (administrator guide, "Updates & New Releases")."""

    id: str
    what: str
    done_on: date | None


def list_steps(plan: StoredPlan) -> tuple[Step, ...]:
    """List the steps in their order, each with the day it was done."""
    proven = None if plan.proof is None else plan.proof.read_at.date()
    return (
        Step("agreed", "Agree a day with Enreach's support, and enter it as agreed_on.", plan.agreed_on),
        Step("package-received", "Get the package of this version from Enreach.", plan.package_received_on),
        Step("installed", "On that day, run the Package Deployer in this environment.", plan.installed_on),
        Step("back-end-updated", "Let Enreach confirm that its back end is updated.", plan.back_end_updated_on),
        Step("verified", "Have the version read: POST /admin/update-plans/{environment}/verify.", proven),
    )


def find_next(plan: StoredPlan) -> Step | None:
    """Return the first step that is not done; `None` when the plan is closed."""
    return None if plan.proof else next(step for step in list_steps(plan) if step.done_on is None)


class _Document(BaseModel):
    """All plans, by environment."""

    plans: dict[str, StoredPlan] = {}


class UpdatePlans:
    """Keeps the plans with their versions. Raises StoreError."""

    def __init__(
        self,
        *,
        documents: SettingsDocumentStore,
        solutions: SolutionReader,
        clock: Callable[[], float],
        read_today: Callable[[], date],
    ) -> None:
        """`clock` gives seconds since the epoch, `read_today` the day where the customer is."""
        self._document = VersionedDocument(
            store=documents, name="update-plans", model=_Document, what="update_plans.changed", target="update-plans"
        )
        self._solutions = solutions
        self._clock = clock
        self._read_today = read_today

    async def read(self) -> tuple[Mapping[str, StoredPlan], str]:
        """Return all plans by environment, and the version to change them from."""
        found = await self._document.read()
        return found.value.plans, found.version

    async def get(self, environment: str) -> tuple[StoredPlan, str]:
        """Return one, and the version to change it from; raises NotFoundError."""
        plans, version = await self.read()
        if environment not in plans:
            raise NotFoundError(f"there is no plan for {environment}; GET /admin/update-plans lists them")
        return plans[environment], version

    async def put(self, environment: str, plan: UpdatePlan, *, version: str | None, who: str) -> tuple[StoredPlan, str]:
        """Set the plan of an environment, which is open then; returns it with the new version.

        Raises NotFoundError for an environment the settings do not name, and PreconditionFailedError when somebody was
        faster.
        """
        self._solutions.require(environment)
        plans, present = await self.read()
        opened = StoredPlan(**plan.model_dump())
        changed = {**plans, environment: opened}
        return opened, await self._write(changed, present if version is None else version, who)

    async def verify(self, environment: str, *, who: str) -> tuple[StoredPlan, str]:
        """Read the version anew, and close the plan with what was read; returns it with the new version.

        Raises ConflictError when a step before is not done, or what was read is no proof.
        """
        plan, version = await self.get(environment)
        missing = [step.id for step in list_steps(plan)[:-1] if step.done_on is None]
        if missing:
            raise ConflictError(f"not done yet: {', '.join(missing)}; PUT the plan with the days of these steps first")
        found = await self._solutions.read(environment, anew=True)
        if found.state is not SolutionState.INSTALLED or found.version is None:
            raise ConflictError(f"the version cannot be read: {found.reason}; {found.remedy}")
        if split_version(found.version) < split_version(plan.version):
            raise ConflictError(
                f"{environment} still has version {found.version}, and the plan is for {plan.version}: "
                "run the Package Deployer there, then verify again"
            )
        proof = Proof.model_validate({"version": found.version, "read_at": found.looked_at, "who": who})
        closed = plan.model_copy(update={"proof": proof})
        plans, _ = await self.read()
        return closed, await self._write({**plans, environment: closed}, version, who)

    async def remove(self, environment: str, *, version: str, who: str) -> None:
        """Remove a plan, which ends its alerts; raises NotFoundError and PreconditionFailedError."""
        await self.get(environment)
        plans, _ = await self.read()
        await self._write({name: plan for name, plan in plans.items() if name != environment}, version, who)

    async def find_due(self) -> Sequence[FiringAlert]:
        """Fire for each open plan whose day comes near or has passed."""
        plans, _ = await self.read()
        return tuple(find_due(plans, self._read_today()))

    async def _write(self, plans: Mapping[str, StoredPlan], version: str, who: str) -> str:
        document = _Document(plans=dict(plans))
        return (await self._document.write(document, version=version, author=who, now=self._clock())).version


def find_due(plans: Mapping[str, StoredPlan], today: date) -> Iterator[FiringAlert]:
    """Find the open plans near or past their day; each reminder has a subject of its own, so that it is told."""
    for environment, plan in plans.items():
        step = find_next(plan)
        if step is None or plan.agreed_on is None:
            continue
        left = (plan.agreed_on - today).days
        passed = [days for days in _WARNING_DAYS if left <= days]
        if passed:
            yield _describe(environment, plan, step, None if left < 0 else min(passed))


def _describe(environment: str, plan: StoredPlan, step: Step, days: int | None) -> FiringAlert:
    when = {None: "was agreed for", 1: "is agreed for tomorrow,", 0: "is agreed for today,"}.get(days, "is agreed for")
    return FiringAlert(
        subject=f"{environment}:{'overdue' if days is None else days}",
        message=f"The update of {environment} to {plan.version} {when} {plan.agreed_on}; to do: {step.what}",
        facts={
            "environment": environment,
            "version": plan.version,
            "agreed_on": str(plan.agreed_on),
            "next": step.id,
        },
    )
