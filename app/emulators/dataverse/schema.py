"""What a table is: typed columns, navigations and keys (Dataverse contract, sections 1.3 and 2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Kind(StrEnum):
    """The type of a column; the value is its name in Dataverse's own metadata."""

    TEXT = "String"
    INTEGER = "Integer"
    DECIMAL = "Decimal"
    BOOLEAN = "Boolean"
    CHOICE = "Picklist"
    CHOICES = "Virtual"
    """Several choices at once, stored and read as their values with commas between."""
    GUID = "Uniqueidentifier"
    INSTANT = "DateTime"
    LOOKUP = "Lookup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column under its wire name; a lookup is read as `_<attribute>_value`."""

    name: str
    kind: Kind
    length: int | None = None
    """Longest text a write may store."""
    labels: Mapping[int, str] = field(default_factory=dict)
    """Labels of a choice; a Boolean uses 0 and 1."""
    targets: tuple[str, ...] = ()
    """Entity sets a lookup may point to."""

    @property
    def attribute(self) -> str:
        """The logical name, which for a lookup has no `_…_value` around it."""
        return self.name[1 : -len("_value")] if self.kind is Kind.LOOKUP else self.name


class Cardinality(StrEnum):
    """How many rows a navigation leads to."""

    SINGLE = "N:1"
    COLLECTION = "1:N"
    LINKED = "N:N"


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """A way from a row to related rows. Its name is case-sensitive."""

    name: str
    target: str
    """Entity set it leads to."""
    cardinality: Cardinality
    column: str
    """The lookup that makes the relation: here (N:1), on the target (1:N) or from the link row to here (N:N)."""
    link: str = ""
    """Entity set of the link rows (N:N)."""
    far_column: str = ""
    """The column from the link row to the target (N:N)."""

    @property
    def is_single(self) -> bool:
        """Whether it leads to one row at most."""
        return self.cardinality is Cardinality.SINGLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table, addressed by its entity set name."""

    logical_name: str
    entity_set: str
    key: str
    name_column: str
    """Column shown for a lookup that points to this table."""
    columns: Mapping[str, Column]
    navigations: Mapping[str, Navigation] = field(default_factory=dict)
    binds: Mapping[str, str] = field(default_factory=dict)
    """Name before `@odata.bind` -> lookup column."""
    privilege: str = ""
    """The noun in privileges on this table, e.g. `Contact` in `prvReadContact`."""
    alternate_key: tuple[str, ...] = ()
    tracks_changes: bool = False

    def add_columns(self, columns: Mapping[str, Column]) -> "Table":
        """Return this table with custom columns added."""
        return replace(self, columns={**self.columns, **columns})


Schema = Mapping[str, Table]
"""Entity set name -> table."""
