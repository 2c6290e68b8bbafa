"""Answers writes: create, update, upsert, delete (Dataverse contract, sections 1.2, 1.7 and 7.5)."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.responses import Response

from app.emulators.dataverse.access import require_privilege
from app.emulators.dataverse.answers import answer_json, answer_nothing
from app.emulators.dataverse.binding import BIND, complete_lookups, read_field
from app.emulators.dataverse.clock import Clock
from app.emulators.dataverse.errors import (
    DUPLICATE_ROW,
    INVALID_VALUE,
    UNSPECIFIED,
    VERSION_MISMATCH,
    WireError,
    bad_payload,
    method_not_allowed,
    no_such_row,
    unknown_property,
)
from app.emulators.dataverse.loading import compose_full_name, fill_defaults
from app.emulators.dataverse.query import Query, read_query
from app.emulators.dataverse.rendering import Renderer, render_context, render_etag
from app.emulators.dataverse.requests import ApiRequest, find_table, read_id, read_key
from app.emulators.dataverse.schema import Cardinality, Navigation, Table
from app.emulators.dataverse.tables import Row, Tables, lookup_type_of
from app.emulators.dataverse.values import render_instant

_CHILDREN = Mapping[str, list[dict[str, Any]]]


class Writer:
    """Carries out POST, PATCH and DELETE on rows."""

    def __init__(self, *, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def create(self, request: ApiRequest) -> Response:
        """Answer `POST <set>`: 204 with the new address, or 201 with the row."""
        table = self._only_set(request)
        require_privilege(self._tables, request.user, "Create", table)
        fields, children = self._read_body(table, request.read_object())
        return self._insert(request, table, fields, children)

    def update(self, request: ApiRequest) -> Response:
        """Answer `PATCH <set>(<id>)`: update, or create when the row is not there and `If-Match` does not forbid."""
        table, key = self._one_row(request)
        row = self._tables.find(table.entity_set, key)
        fields, children = self._read_body(table, request.read_object())
        if row is None:
            if "if-match" in request.headers:
                raise no_such_row(table.logical_name, key)
            require_privilege(self._tables, request.user, "Create", table)
            return self._insert(request, table, fields | {table.key: key}, children)
        if request.headers.get("if-none-match") == "*":
            raise WireError(412, DUPLICATE_ROW, "A record with matching key values already exists.")
        return self._change(request, table, row, fields)

    def delete(self, request: ApiRequest) -> Response:
        """Answer `DELETE <set>(<id>)`."""
        table, key = self._one_row(request)
        row = self._tables.find(table.entity_set, key)
        if row is None:
            raise no_such_row(table.logical_name, key)
        require_privilege(self._tables, request.user, "Delete", table)
        _require_match(request, row)
        self._tables.remove(table.entity_set, key)
        return answer_nothing()

    def put_part(self, request: ApiRequest) -> Response:
        """Answer `PUT <set>(<key>)/<column>` and, for a navigation to one row, `PUT …/<navigation>/$ref`."""
        table, name = self._find_part(request)
        body = request.read_object()
        fields = {name: body.get("value")} if name in table.columns else {f"{name}{BIND}": body.get("@odata.id")}
        return self._change_part(request, table, self.read_fields(table, fields))

    def clear_part(self, request: ApiRequest) -> Response:
        """Answer `DELETE` of the same."""
        table, name = self._find_part(request)
        column = name if name in table.columns else table.navigations[name].column
        return self._change_part(request, table, {column: None})

    def finds_part(self, request: ApiRequest) -> bool:
        """Tell whether the path leads to a column of a row, or to the reference of a navigation to one row."""
        if request.path[0].key is None:
            return False
        table = find_table(self._tables.schema, request.path[0])
        match [segment.name for segment in request.path[1:]]:
            case [name]:
                return name in table.columns
            case [name, "$ref"] if name in table.navigations:
                return table.navigations[name].is_single
        return False

    def _find_part(self, request: ApiRequest) -> tuple[Table, str]:
        if not self.finds_part(request):
            raise method_not_allowed(request.method)
        return find_table(self._tables.schema, request.path[0]), request.path[1].name

    def _change_part(self, request: ApiRequest, table: Table, fields: Row) -> Response:
        key = self._resolve(table, request.path[0].key or "")
        row = self._tables.find(table.entity_set, key)
        if row is None:
            raise no_such_row(table.logical_name, key)
        require_privilege(self._tables, request.user, "Write", table)
        _require_match(request, row)
        self.store_change(table, row, fields)
        return answer_nothing()

    def _only_set(self, request: ApiRequest) -> Table:
        if len(request.path) != 1 or request.path[0].key is not None:
            raise method_not_allowed(request.method)
        return find_table(self._tables.schema, request.path[0])

    def _one_row(self, request: ApiRequest) -> tuple[Table, str]:
        if len(request.path) != 1 or request.path[0].key is None:
            raise method_not_allowed(request.method)
        table = find_table(self._tables.schema, request.path[0])
        return table, self._resolve(table, request.path[0].key)

    def _resolve(self, table: Table, key: str) -> str:
        """Return the id that a key names; raises WireError (404) where an alternate key names nothing."""
        if "=" not in key:
            return read_id(key)
        wanted = read_key(table, key)
        rows = (row for row in self._tables.rows(table.entity_set) if wanted.items() <= row.items())
        found = next(rows, None)
        if found is None:
            raise no_such_row(table.logical_name, key)
        return str(found[table.key])

    def add(self, request: ApiRequest, table: Table, fields: Row) -> Row:
        """Store a new row with what Dataverse fills in."""
        key = fields.setdefault(table.key, str(uuid4()))
        if self._tables.find(table.entity_set, key) is not None:
            raise WireError(412, DUPLICATE_ROW, "Cannot insert duplicate key.")
        now = render_instant(self._clock())
        given = _ignore_state(table, fields) | {"createdon": now, "modifiedon": now}
        owned = self._give_owner(request, table, {k: v for k, v in given.items() if k in table.columns or "@" in k})
        return self.store(table, fill_defaults(table, owned, now=now))

    def _insert(self, request: ApiRequest, table: Table, fields: Row, children: _CHILDREN) -> Response:
        row = self.add(request, table, fields)
        for name, rows in children.items():
            self._insert_children(table, row, table.navigations[name], rows)
        return self._answer(request, table, row, created=True)

    def _insert_children(self, table: Table, row: Row, navigation: Navigation, bodies: list[dict[str, Any]]) -> None:
        child_table = self._tables.schema[navigation.target]
        for body in bodies:
            fields, _ = self._read_body(child_table, body)
            fields |= {navigation.column: row[table.key], lookup_type_of(navigation.column): table.logical_name}
            fields.setdefault(child_table.key, str(uuid4()))
            self.store(child_table, fields)

    def _give_owner(self, request: ApiRequest, table: Table, fields: Row) -> Row:
        if "_ownerid_value" not in table.columns or fields.get("_ownerid_value"):
            return fields
        owner = {"_ownerid_value": request.user["systemuserid"], lookup_type_of("_ownerid_value"): "systemuser"}
        return fields | owner

    def _change(self, request: ApiRequest, table: Table, row: Row, fields: Row) -> Response:
        require_privilege(self._tables, request.user, "Write", table)
        _require_match(request, row)
        _require_open(table, row, fields)
        if fields.get(table.key, row[table.key]) != row[table.key]:
            raise bad_payload(f"The primary key '{table.key}' cannot be changed.")
        return self._answer(request, table, self.store_change(table, row, fields), created=False)

    def read_fields(self, table: Table, body: dict[str, Any]) -> Row:
        """Return the column values in a body without its related rows. Raises WireError (400, 404)."""
        return self._read_body(table, body)[0]

    def store_change(self, table: Table, row: Row, fields: Row) -> Row:
        """Store a row with some columns changed, and what follows from them."""
        changed = row | fields
        if "modifiedon" in table.columns:
            changed["modifiedon"] = render_instant(self._clock())
        if table.name_column == "fullname" and {"firstname", "lastname"} & set(fields):
            changed["fullname"] = compose_full_name(changed)
        return self.store(table, changed)

    def store(self, table: Table, row: Row) -> Row:
        """Store a row, with what depends on its lookups."""
        complete_lookups(table, row)
        return self._tables.store(table.entity_set, row)

    def _answer(self, request: ApiRequest, table: Table, row: Row, *, created: bool) -> Response:
        headers = {"OData-EntityId": f"{request.root}/{table.entity_set}({row[table.key]})"}
        if not request.prefer.representation:
            return answer_nothing(headers=headers)
        query: Query = read_query(request.options, table, self._tables)
        renderer = Renderer(tables=self._tables, annotations=request.prefer.annotations)
        body = {"@odata.context": render_context(request.root, query, "/$entity")} | renderer.render(row, query)
        status = 201 if created else 200
        return answer_json(body, status=status, headers=headers | {"ETag": render_etag(row)})

    def _read_body(self, table: Table, body: dict[str, Any]) -> tuple[Row, _CHILDREN]:
        """Split a body into column values and rows to create along with it (deep insert)."""
        fields: Row = {}
        children: dict[str, list[dict[str, Any]]] = {}
        for name, value in body.items():
            navigation = table.navigations.get(name)
            if navigation is not None and navigation.cardinality is Cardinality.COLLECTION:
                children[name] = _require_rows(name, value)
            else:
                fields |= self._read_field(table, name, value)
        return fields, children

    def _read_field(self, table: Table, name: str, value: object) -> Mapping[str, Any]:
        try:
            read = read_field(self._tables.schema, table, name, value)
        except KeyError as exc:
            raise unknown_property(name.removesuffix(BIND), table.logical_name) from exc
        except ValueError as exc:
            raise bad_payload(f"Error identified in Payload provided by the user for '{name}': {exc}") from exc
        _require_fitting(table, read)
        self._require_existing(table, name, read)
        return read

    def _require_existing(self, table: Table, name: str, read: Mapping[str, Any]) -> None:
        """A bind must lead to a row that is there."""
        if not name.endswith(BIND):
            return
        column = table.binds[name.removesuffix(BIND)]
        logical_name, key = read.get(lookup_type_of(column)), read[column]
        if key is None:
            return
        target = next(t for t in self._tables.schema.values() if t.logical_name == logical_name)
        if self._tables.find(target.entity_set, key) is None:
            raise no_such_row(target.logical_name, key)


def _require_rows(name: str, value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise bad_payload(f"Error identified in Payload provided by the user for '{name}': expected a list of rows")
    return value


def _require_fitting(table: Table, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        column = table.columns.get(name)
        if column and column.length and value is not None and len(value) > column.length:
            message = (
                f"A validation error occurred. The length of the '{name}' attribute of the '{table.logical_name}' "
                f"entity exceeded the maximum allowed length of '{column.length}'."
            )
            raise WireError(400, INVALID_VALUE, message)
        if column and column.labels and value is not None and int(value) not in column.labels:
            message = f"A validation error occurred. The value {value} of '{name}' is outside the valid range."
            raise WireError(400, INVALID_VALUE, message)


def _require_match(request: ApiRequest, row: Row) -> None:
    wanted = request.headers.get("if-match", "*")
    if wanted not in {"*", render_etag(row)}:
        message = "The version of the existing record doesn't match the RowVersion property provided."
        raise WireError(412, VERSION_MISMATCH, message)


def _ignore_state(table: Table, fields: Row) -> Row:
    """An activity is always created open, whatever the request says (contract, section 7.5)."""
    if table.logical_name != "phonecall":
        return dict(fields)
    return {name: value for name, value in fields.items() if name not in {"statecode", "statuscode"}}


def _require_open(table: Table, row: Row, fields: Row) -> None:
    """A closed activity takes no change but of its state (contract, section 7.5)."""
    if table.logical_name == "phonecall" and row["statecode"] != 0 and "statecode" not in fields:
        raise WireError(400, UNSPECIFIED, "Cannot update Closed or Cancelled Activity")
