"""Answers the `Merge` action: one of two duplicates takes over what belongs to the other (contract, section 2.1)."""

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response

from app.emulators.dataverse.access import ORGANISATION_DEPTH, require_privilege
from app.emulators.dataverse.answers import answer_nothing
from app.emulators.dataverse.clock import Clock
from app.emulators.dataverse.errors import UNSPECIFIED, WireError, bad_payload, no_such_row, not_emulated
from app.emulators.dataverse.requests import ApiRequest, read_id
from app.emulators.dataverse.schema import Column, Kind, Table
from app.emulators.dataverse.tables import Row, Tables, lookup_type_of
from app.emulators.dataverse.values import render_instant
from app.emulators.dataverse.writing import Writer

_TYPE_PREFIX = "Microsoft.Dynamics.CRM."
_PARENTS = {"accounts": "_parentaccountid_value", "contacts": "_parentcustomerid_value"}
_INACTIVE = {"statecode": 1, "statuscode": 2, "merged": True}


class Merger:
    """Merges two accounts or two contacts."""

    def __init__(self, *, tables: Tables, clock: Clock, writer: Writer) -> None:
        self._tables = tables
        self._clock = clock
        self._writer = writer

    def merge(self, request: ApiRequest) -> Response:
        """Answer `POST Merge`: the subordinate becomes inactive, and what pointed to it points to the target."""
        body = request.read_object()
        table, winner = self._read_row(body, "Target")
        other, loser = self._read_row(body, "Subordinate")
        if other is not table:
            raise bad_payload("Target and Subordinate must be rows of the same table.")
        update = self._read_update(body, table)
        self._require_allowed(request, table)
        _require_distinct(table, winner, loser)
        _require_active(table, winner, loser)
        _require_same_parent(table, winner, loser, checked=body.get("PerformParentingChecks"))
        self._take_over(table, winner, loser, update)
        return answer_nothing()

    def _read_row(self, body: Mapping[str, Any], role: str) -> tuple[Table, Row]:
        table, value = self._read_typed(body, role)
        if table.key not in value:
            raise bad_payload(f"The parameter {role} must have the property {table.key}.")
        key = read_id(str(value[table.key]))
        row = self._tables.find(table.entity_set, key)
        if row is None:
            raise no_such_row(table.logical_name, key)
        return table, row

    def _read_typed(self, body: Mapping[str, Any], role: str) -> tuple[Table, dict[str, Any]]:
        value = body.get(role)
        if not isinstance(value, dict) or not isinstance(value.get("@odata.type"), str):
            raise bad_payload(f"The parameter {role} must be an object with an @odata.type.")
        name = value["@odata.type"].removeprefix("#").removeprefix(_TYPE_PREFIX)
        if name == "incident":
            raise not_emulated("Merging cases")
        table = next((t for t in self._tables.schema.values() if t.logical_name == name), None)
        if table is None or table.entity_set not in _PARENTS:
            raise WireError(400, UNSPECIFIED, f"This type: {name} is not supported with merge operation")
        return table, value

    def _read_update(self, body: Mapping[str, Any], table: Table) -> Row:
        if body.get("UpdateContent") is None:
            return {}
        other, value = self._read_typed(body, "UpdateContent")
        if other is not table:
            raise bad_payload("UpdateContent must be of the same type as Target.")
        fields = self._writer.read_fields(table, value)
        return {name: value for name, value in fields.items() if name != table.key}

    def _require_allowed(self, request: ApiRequest, table: Table) -> None:
        for verb in ("Read", "Write"):
            require_privilege(self._tables, request.user, verb, table)
        require_privilege(self._tables, request.user, "prvMerge", table, depth=ORGANISATION_DEPTH)

    def _take_over(self, table: Table, winner: Row, loser: Row, update: Row) -> None:
        self._writer.store_change(table, winner, update)
        key, now = winner[table.key], render_instant(self._clock())
        for owner, column, row in list(self._find_dependants(table, loser)):
            present = self._tables.find(owner.entity_set, row[owner.key]) or row
            itself = owner is table and present[table.key] == key
            moved = present | {column.name: None if itself else key}
            if "modifiedon" in owner.columns:
                moved["modifiedon"] = now
            self._writer.store(owner, moved)
        present = self._tables.find(table.entity_set, loser[table.key]) or loser
        self._writer.store(table, present | _INACTIVE | {"_masterid_value": key, "modifiedon": now})

    def _find_dependants(self, table: Table, loser: Row) -> Iterator[tuple[Table, Column, Row]]:
        """Yield what points to the loser, but for rows merged into it earlier: their master stays."""
        key = loser[table.key]
        for owner, column in self._list_lookups(table):
            for row in self._tables.matching(owner.entity_set, {column.name: [key]}):
                if row.get(lookup_type_of(column.name), table.logical_name) == table.logical_name:
                    yield owner, column, row

    def _list_lookups(self, table: Table) -> list[tuple[Table, Column]]:
        return [
            (owner, column)
            for owner in self._tables.schema.values()
            for column in owner.columns.values()
            if column.kind is Kind.LOOKUP and table.entity_set in column.targets and column.name != "_masterid_value"
        ]


def _require_distinct(table: Table, winner: Row, loser: Row) -> None:
    if winner[table.key] == loser[table.key]:
        message = "Merge cannot be performed on master and sub-entities that are identical."
        raise WireError(400, UNSPECIFIED, message)


def _require_active(table: Table, winner: Row, loser: Row) -> None:
    for role, row in (("master entity", winner), ("sub-entity", loser)):
        if row["statecode"] != 0:
            raise WireError(400, UNSPECIFIED, f"{role}:{table.logical_name}-{row[table.key]} is deactive")


def _require_same_parent(table: Table, winner: Row, loser: Row, *, checked: object) -> None:
    if not isinstance(checked, bool):
        raise bad_payload("The parameter PerformParentingChecks must be true or false.")
    column = _PARENTS[table.entity_set]
    if checked and winner.get(column) != loser.get(column):
        raise WireError(400, UNSPECIFIED, "Merge warning: sub-entity will be differently parented.")
