"""A short way to declare tables: names in one string, navigations derived from lookups."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from app.emulators.dataverse.schema import Cardinality, Column, Kind, Navigation, Table

Labels = Mapping[int, str]
_YES_NO: Labels = {0: "No", 1: "Yes"}

OWNER: Mapping[str, str] = {"ownerid": "systemusers teams", "owninguser": "systemusers", "owningteam": "teams"}
"""The lookups of a table whose rows have an owner."""
STAMPS = "createdon modifiedon"
STATE: Labels = {0: "Active", 1: "Inactive"}
STATUS: Labels = {1: "Active", 2: "Inactive"}


def declare(
    logical_name: str,
    entity_set: str,
    *,
    key: str,
    name: str,
    texts: Mapping[int, str] | None = None,
    integers: str = "",
    booleans: Mapping[str, Labels] | str = "",
    choices: Mapping[str, Labels] | None = None,
    guids: str = "",
    instants: str = "",
    lookups: Mapping[str, str] | None = None,
    related: Iterable[Navigation] = (),
    singles: Mapping[str, tuple[str, str]] | None = None,
    privilege: str,
    alternate_key: tuple[str, ...] = (),
    tracks_changes: bool = False,
) -> Table:
    """Declare a table.

    `texts` maps a length to column names; `lookups` an attribute to the entity sets it may point to; `singles` a
    navigation to its attribute and target, where the name does not follow the usual pattern.
    """
    lookups = lookups or {}
    columns = [
        Column(name=key, kind=Kind.GUID),
        *(Column(name=c, kind=Kind.TEXT, length=size) for size, names in (texts or {}).items() for c in names.split()),
        *_plain(integers, Kind.INTEGER),
        *_booleans(booleans),
        *(Column(name=c, kind=Kind.CHOICE, labels=labels) for c, labels in (choices or {}).items()),
        *_plain(guids, Kind.GUID),
        *_plain(instants, Kind.INSTANT),
        *(Column(name=f"_{a}_value", kind=Kind.LOOKUP, targets=tuple(t.split())) for a, t in lookups.items()),
        Column(name="versionnumber", kind=Kind.INTEGER),
    ]
    renamed = {attribute for attribute, _ in (singles or {}).values()}
    navigations = [*_singles(lookups, renamed), *_named_singles(singles or {}), *related]
    return Table(
        logical_name=logical_name,
        entity_set=entity_set,
        key=key,
        name_column=name,
        columns={column.name: column for column in columns},
        navigations={navigation.name: navigation for navigation in navigations},
        binds=_binds(lookups, navigations),
        privilege=privilege,
        alternate_key=alternate_key,
        tracks_changes=tracks_changes,
    )


def collection(name: str, *, target: str, attribute: str) -> Navigation:
    """Declare a 1:N navigation to the rows of `target` whose lookup `attribute` points here."""
    return Navigation(name=name, target=target, cardinality=Cardinality.COLLECTION, column=f"_{attribute}_value")


def linked(name: str, target: str, link: str, near: str, far: str) -> Navigation:
    """Declare an N:N navigation through the rows of `link`."""
    return Navigation(name=name, target=target, cardinality=Cardinality.LINKED, column=near, link=link, far_column=far)


def _plain(names: str, kind: Kind) -> list[Column]:
    return [Column(name=name, kind=kind) for name in names.split()]


def _booleans(names: Mapping[str, Labels] | str) -> list[Column]:
    labelled = dict.fromkeys(names.split(), _YES_NO) if isinstance(names, str) else names
    return [Column(name=name, kind=Kind.BOOLEAN, labels=labels) for name, labels in labelled.items()]


def _singles(lookups: Mapping[str, str], renamed: AbstractSet[str]) -> Iterator[Navigation]:
    """A lookup to one table is followed under its own name, a polymorphic one as `<attribute>_<table>`."""
    for attribute, targets in lookups.items():
        sets = targets.split()
        if attribute == "ownerid" or (len(sets) == 1 and attribute in renamed):
            continue
        for target in sets:
            name = attribute if len(sets) == 1 else f"{attribute}_{target.removesuffix('s')}"
            yield _single(name, attribute, target)


def _named_singles(singles: Mapping[str, tuple[str, str]]) -> Iterator[Navigation]:
    for name, (attribute, target) in singles.items():
        yield _single(name, attribute, target)


def _single(name: str, attribute: str, target: str) -> Navigation:
    return Navigation(name=name, target=target, cardinality=Cardinality.SINGLE, column=f"_{attribute}_value")


def _binds(lookups: Mapping[str, str], navigations: Iterable[Navigation]) -> dict[str, str]:
    binds = {navigation.name: navigation.column for navigation in navigations if navigation.is_single}
    return {**binds, "ownerid": "_ownerid_value"} if "ownerid" in lookups else binds
