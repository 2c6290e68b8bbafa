"""Which columns this deployment names, and where."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.routing.callers import Selection
from app.settings import DataverseSettings, VipSettings
from app.settings.group import PREFIX

__all__ = ["RequiredColumn", "list_required_columns"]

_CONTACT_PHONES = f"{PREFIX}DATAVERSE__CONTACT_PHONE_COLUMNS"
_ACCOUNT_PHONES = f"{PREFIX}DATAVERSE__ACCOUNT_PHONE_COLUMNS"


@dataclass(frozen=True, slots=True)
class RequiredColumn:
    """One column somebody named."""

    table: str
    column: str
    source: str
    """The setting, or the rules."""
    is_phone: bool = False

    def judge(self, types: Mapping[str, object]) -> str | None:
        """Say what is wrong with the column of the table that has these types by name, or `None`."""
        # A lookup is read as `_name_value` and defined as `name`.
        plain = self.column.removeprefix("_").removesuffix("_value") if self.column.startswith("_") else self.column
        if plain not in types:
            return "does not exist"
        if self.is_phone and types[plain] not in {"String", "Memo", None}:
            return f"is {types[plain]}, not text"
        return None


def list_required_columns(dataverse: DataverseSettings, vip: VipSettings, selection: Selection) -> list[RequiredColumn]:
    """List every column of the settings, then those of the rules (by table and name)."""
    phones = [
        *(RequiredColumn("contact", c, _CONTACT_PHONES, is_phone=True) for c in dataverse.contact_phone_columns),
        *(RequiredColumn("account", c, _ACCOUNT_PHONES, is_phone=True) for c in dataverse.account_phone_columns),
    ]
    criteria = [RequiredColumn(c.table, c.column, f"{PREFIX}VIP__CRITERIA") for c in vip.criteria]
    agent_columns = {"AGENT_ID_COLUMN": dataverse.agent_id_column, "AGENT_EMAIL_COLUMN": dataverse.agent_email_column}
    agents = [RequiredColumn("systemuser", c, f"{PREFIX}DATAVERSE__{name}") for name, c in agent_columns.items() if c]
    rules = [
        *(RequiredColumn("contact", c, "the ruleset") for c in sorted(selection.contact_columns)),
        *(RequiredColumn("account", c, "the ruleset") for c in sorted(selection.account_columns)),
    ]
    return [*phones, *criteria, *agents, *rules]
