"""What the mirror holds: which tables, which columns, and how their numbers are read."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, NamedTuple

from app.dataverse.queries import SearchPlan, build_path
from app.routing.callers import Selection

__all__ = ["ACCOUNT", "CONTACT", "USER", "MirrorPlan", "MirrorTable"]

CONTACT: Final = "contact"
ACCOUNT: Final = "account"
USER: Final = "systemuser"
_FORMAT: Final = 2
"""Goes up when rows are written in another way, so that what an older version wrote is loaded anew."""
_OWNER: Final = ("_ownerid_value", "_owninguser_value")


class MirrorTable(NamedTuple):
    """A table of Dataverse and what is read of it."""

    name: str
    entity_set: str
    columns: tuple[str, ...]

    @property
    def path(self) -> str:
        """The first question, which change tracking allows neither to filter nor to order."""
        return build_path(self.entity_set, {"$select": ",".join(self.columns)})


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorPlan:
    """What one generation of the index was loaded with."""

    contact_phones: tuple[str, ...]
    account_phones: tuple[str, ...]
    contact_columns: frozenset[str]
    account_columns: frozenset[str]
    region: str
    """For numbers of records whose address names no country."""
    agent_column: str | None
    refused: frozenset[str] = frozenset()
    """Columns of rules that the organisation does not have, as `table.column`."""
    format: int = _FORMAT

    @classmethod
    def make(cls, search: SearchPlan, selection: Selection, *, region: str) -> "MirrorPlan":
        """Plan for these settings and what the live ruleset reads."""
        return cls(
            contact_phones=search.contact_phones,
            account_phones=search.account_phones,
            contact_columns=search.contact_columns | selection.contact_columns,
            account_columns=search.account_columns | selection.account_columns,
            region=region,
            agent_column=search.agent_column,
        )

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "MirrorPlan":
        """Read what `write` wrote."""
        sets = {name: frozenset(document[name]) for name in ("contact_columns", "account_columns", "refused")}
        tuples = {name: tuple(document[name]) for name in ("contact_phones", "account_phones")}
        return cls(**{**document, **sets, **tuples})

    def write(self) -> dict[str, Any]:
        """Write it as JSON."""
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(self).items()}

    def serves(self, wanted: "MirrorPlan") -> bool:
        """Tell whether an index loaded by this plan answers whatever one loaded by the other would."""
        return wanted.contact_columns <= self._list_known(CONTACT, self.contact_columns) and (
            wanted.account_columns <= self._list_known(ACCOUNT, self.account_columns)
            and replace(self, contact_columns=frozenset(), account_columns=frozenset(), refused=frozenset())
            == replace(wanted, contact_columns=frozenset(), account_columns=frozenset(), refused=frozenset())
        )

    def refuse(self, table: str, columns: Iterable[str]) -> "MirrorPlan":
        """Return the plan without columns that the organisation does not have."""
        gone = frozenset(columns)
        return replace(
            self,
            contact_columns=self.contact_columns - gone if table == CONTACT else self.contact_columns,
            account_columns=self.account_columns - gone if table == ACCOUNT else self.account_columns,
            refused=self.refused | {f"{table}.{column}" for column in gone},
        )

    def suspect(self, table: str, column: str | None, *, required: "MirrorPlan") -> frozenset[str]:
        """Return the columns that may be behind a refusal which names one or none; never one that `required` has."""
        optional = (
            self.contact_columns - required.contact_columns - frozenset(self.contact_phones)
            if table == CONTACT
            else self.account_columns - required.account_columns - frozenset(self.account_phones)
            if table == ACCOUNT
            else frozenset()
        )
        return optional if column is None else optional & {column}

    def list_tables(self) -> list[MirrorTable]:
        """List the tables to read; users only where a column of theirs holds the Enreach id."""
        contact = ("contactid", "fullname", *self.contact_phones, "_parentcustomerid_value")
        account = ("accountid", "name", *self.account_phones, "_parentaccountid_value")
        usual = ("statecode", "modifiedon", "address1_country", *_OWNER)
        tables = [
            MirrorTable(ACCOUNT, "accounts", _order(*account, *usual, *sorted(self.account_columns))),
            MirrorTable(CONTACT, "contacts", _order(*contact, *usual, *sorted(self.contact_columns))),
        ]
        if self.agent_column is not None:
            tables.insert(0, MirrorTable(USER, "systemusers", ("systemuserid", self.agent_column)))
        return tables

    def _list_known(self, table: str, columns: frozenset[str]) -> frozenset[str]:
        prefix = f"{table}."
        return columns | {name.removeprefix(prefix) for name in self.refused if name.startswith(prefix)}


def _order(*columns: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(columns))
