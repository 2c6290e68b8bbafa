"""JSON bodies of releases and update plans."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.operations.updates.plans import StoredPlan, UpdatePlan, find_next, list_steps
from app.operations.updates.releases import InstalledSolution, Release, SolutionState, find_newest, split_version
from app.web.parameters import ShownTime, WholeList

__all__ = ["EnvironmentBody", "PlanBody", "ReleasesBody"]


class EnvironmentBody(BaseModel):
    """What is installed in one environment."""

    environment: str
    state: SolutionState
    reason: str
    remedy: str = Field(description="What to do; empty when nothing is.")
    unique_name: str | None = Field(description="Of the solution.")
    version: str | None
    installed_on: ShownTime | None
    newer: str | None = Field(description="The newest release that is known, where it is newer than what is installed.")
    looked_at: ShownTime = Field(description="At most five minutes ago.")

    @classmethod
    def of(cls, found: InstalledSolution, newest: Release | None) -> "EnvironmentBody":
        """Show one."""
        newer = (
            newest.version
            if newest and found.version and split_version(newest.version) > split_version(found.version)
            else None
        )
        members = {name: getattr(found, name) for name in InstalledSolution.__dataclass_fields__}
        return cls(**members, newer=newer)


class ReleasesBody(WholeList[EnvironmentBody]):
    """The environments with what is installed in them, and the releases that are known."""

    version: str = Field(description="Of this service.", examples=["0.1.0"])
    known: list[Release] = Field(description="By product, the newest first.")
    file_problem: str | None = Field(description="Why SMARTROUTING_UPDATES__RELEASES_FILE is not used; null: it is.")

    @classmethod
    def tell(
        cls,
        *,
        version: str,
        found: Sequence[InstalledSolution],
        known: Sequence[Release],
        file_problem: str | None,
    ) -> "ReleasesBody":
        """Put the answer together."""
        newest = find_newest(known)
        items = [EnvironmentBody.of(each, newest) for each in found]
        return cls(items=items, version=version, known=list(known), file_problem=file_problem)


class UpdateStepBody(BaseModel):
    """One step, and when it was done."""

    model_config = ConfigDict(from_attributes=True)

    id: Literal["agreed", "package-received", "installed", "back-end-updated", "verified"]
    what: str
    done_on: date | None


class ProofBody(BaseModel):
    """The version that was read when the plan was closed."""

    model_config = ConfigDict(from_attributes=True)

    version: str
    read_at: ShownTime
    who: str


class PlanBody(UpdatePlan):
    """A plan, its steps, and what closed it."""

    # The example is of what is sent.
    model_config = ConfigDict(json_schema_extra={})

    environment: str
    state: Literal["open", "closed"]
    next: str | None = Field(description="The id of the step to do next; null when the plan is closed.")
    steps: list[UpdateStepBody]
    proof: ProofBody | None

    @classmethod
    def of(cls, environment: str, plan: StoredPlan) -> "PlanBody":
        """Show one."""
        step = find_next(plan)
        return cls(
            **plan.model_dump(exclude={"proof"}),
            environment=environment,
            state="closed" if step is None else "open",
            next=None if step is None else step.id,
            steps=[UpdateStepBody.model_validate(each) for each in list_steps(plan)],
            proof=None if plan.proof is None else ProofBody.model_validate(plan.proof),
        )
