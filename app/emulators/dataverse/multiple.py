"""Answers CreateMultiple, UpdateMultiple and UpsertMultiple: all of the rows or none."""

from typing import Any

from starlette.responses import Response

from app.emulators.dataverse.access import require_privilege
from app.emulators.dataverse.answers import answer_json, answer_nothing
from app.emulators.dataverse.binding import read_reference
from app.emulators.dataverse.errors import bad_payload, no_such_row, not_emulated
from app.emulators.dataverse.requests import ApiRequest, find_table
from app.emulators.dataverse.schema import Table
from app.emulators.dataverse.tables import Row, Tables
from app.emulators.dataverse.writing import Writer

ACTIONS = frozenset(f"Microsoft.Dynamics.CRM.{name}Multiple" for name in ("Create", "Update", "Upsert"))
Fields = list[Row]


class MultipleWriter:
    """Carries out writes of several rows of one table."""

    def __init__(self, *, tables: Tables, writer: Writer) -> None:
        self._tables = tables
        self._writer = writer

    def write(self, request: ApiRequest) -> Response:
        """Answer `POST <set>/<action>` with a body `{"Targets": [...]}`; every row is read before one is written."""
        table = find_table(self._tables.schema, request.path[0])
        rows = [self._read(table, target) for target in _read_targets(request)]
        match request.path[-1].name.rpartition(".")[2]:
            case "CreateMultiple":
                require_privilege(self._tables, request.user, "Create", table)
                ids = [self._writer.add(request, table, row)[table.key] for row in rows]
                context = f"{request.root}/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"
                return answer_json({"@odata.context": context, "Ids": ids})
            case "UpdateMultiple":
                require_privilege(self._tables, request.user, "Write", table)
                for known, row in [(self._find(table, row), row) for row in rows]:
                    self._writer.store_change(table, known, row)
                return answer_nothing()
            case _:
                return self._upsert(request, table, rows)

    def _upsert(self, request: ApiRequest, table: Table, rows: Fields) -> Response:
        for verb in ("Create", "Write"):
            require_privilege(self._tables, request.user, verb, table)
        results: list[dict[str, Any]] = []
        for row in rows:
            known = self._tables.find(table.entity_set, row.get(table.key, ""))
            changed = None if known is None else self._writer.store_change(table, known, row)
            stored = self._writer.add(request, table, row) if changed is None else changed
            target = {"@odata.type": f"#Microsoft.Dynamics.CRM.{table.logical_name}", table.key: stored[table.key]}
            results.append({"RecordCreated": known is None, "Target": target})
        context = f"{request.root}/$metadata#Microsoft.Dynamics.CRM.UpsertMultipleResponse"
        return answer_json({"@odata.context": context, "Results": results})

    def _read(self, table: Table, target: dict[str, Any]) -> Row:
        body = {name: value for name, value in target.items() if not name.startswith("@")}
        fields = self._writer.read_fields(table, body)
        if "@odata.id" not in target:
            return fields
        try:
            _, key = read_reference(target["@odata.id"])
        except ValueError as exc:
            raise not_emulated("A target that is named by an alternate key") from exc
        return fields | {table.key: key}

    def _find(self, table: Table, row: Row) -> Row:
        known = self._tables.find(table.entity_set, row.get(table.key, ""))
        if known is None:
            raise no_such_row(table.logical_name, str(row.get(table.key)))
        return known


def _read_targets(request: ApiRequest) -> list[dict[str, Any]]:
    targets = request.read_object().get("Targets")
    if not isinstance(targets, list) or not targets or not all(isinstance(each, dict) for each in targets):
        raise bad_payload("The parameter Targets must be a list of rows.")
    return targets
