"""What stands beside the reports of this service, and where decisions are exported to."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from app.settings.base import Group, LogicalName, ServiceUrl

__all__ = ["EXPORT_MEMBERS", "ReportsSettings"]

EXPORT_MEMBERS = (
    "id",
    "at",
    "queue",
    "rule",
    "outcome",
    "destination",
    "caller_status",
    "caller_cause",
    "caller_source",
    "vip",
    "revision",
    "milliseconds",
    "in_time",
)
"""What is exported of a decision: nothing that tells who called."""


def _require_known_members(columns: dict[str, str]) -> dict[str, str]:
    if unknown := sorted(columns.keys() - set(EXPORT_MEMBERS)):
        raise ValueError(f"nothing of a decision is called {', '.join(unknown)}; there is {', '.join(EXPORT_MEMBERS)}")
    return columns


class ReportsSettings(Group):
    """Links to other reports, and the export of decisions."""

    enreach_reports_url: ServiceUrl | None = Field(default=None, description="Enreach Reports of the customer.")
    dynamics_dashboard_url: ServiceUrl | None = Field(default=None, description="A dashboard in Dynamics.")
    export: Literal["off", "file", "table"] = Field(
        default="off", description="One row per decision, for Power BI: into CSV files, or into a table in Dynamics."
    )
    export_folder: Path = Field(default=Path("data/exports"), description="Folder of the CSV files.")
    export_table: LogicalName | None = Field(default=None, description="Entity set name of the table in Dynamics.")
    export_columns: Annotated[dict[str, LogicalName], AfterValidator(_require_known_members)] = Field(
        default={}, description="Member of a decision -> logical name; `id` is the primary key of the table."
    )

    @model_validator(mode="after")
    def _require_table(self) -> Self:
        if self.export == "table" and (self.export_table is None or "id" not in self.export_columns):
            raise ValueError("an export into a table needs export_table, and export_columns with the column of `id`")
        return self
