"""Answers reads: a set, a row, related rows and counts (Dataverse contract, sections 1.3 and 1.4)."""

from typing import Any

from starlette.responses import Response

from app.emulators.dataverse.access import require_privilege
from app.emulators.dataverse.answers import answer_json, answer_nothing
from app.emulators.dataverse.clock import Clock
from app.emulators.dataverse.errors import bad_query, no_such_row, unknown_segment
from app.emulators.dataverse.paging import Position, cut_page, is_tracked, read_position, size_page, write_next_link
from app.emulators.dataverse.query import PAGE_LIMIT, Query, read_query
from app.emulators.dataverse.rendering import Renderer, render_context, render_etag
from app.emulators.dataverse.requests import ApiRequest, find_table, read_key
from app.emulators.dataverse.schema import Table
from app.emulators.dataverse.tables import Row, Tables
from app.emulators.dataverse.tracking import ChangeReader


class Reader:
    """Answers GET requests from the tables."""

    def __init__(self, *, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._changes = ChangeReader(tables=tables, clock=clock)

    def read(self, request: ApiRequest) -> Response:  # noqa: PLR0911 - one for each kind of address
        """Answer `GET` of a set, its count, a row, one of its columns, related rows and references to them."""
        first, *rest = request.path
        table = find_table(self._tables.schema, first)
        require_privilege(self._tables, request.user, "Read", table)
        match first.key, [segment.name for segment in rest]:
            case None, []:
                return self._read_set(request, table)
            case None, ["$count"]:
                return self._count(request, table)
            case str(key), []:
                return self._read_row(request, table, self.find(table, key))
            case str(key), [name] if rest[0].key is None and name in table.columns:
                return self._read_property(request, table, self.find(table, key), name)
            case str(key), [name, "$value"] if name in table.columns:
                return _answer_value(self.find(table, key).get(name))
            case str(key), [navigation] if rest[0].key is None:
                return self._read_related(request, table, self.find(table, key), navigation)
            case str(key), [navigation, "$ref"] if rest[0].key is None:
                return self._read_references(request, table, self.find(table, key), navigation)
        raise unknown_segment(rest[-1].name if rest else first.name)

    def find(self, table: Table, key: str) -> Row:
        """Return the row a key names. Raises WireError (404)."""
        wanted = read_key(table, key)
        if table.key in wanted:
            row = self._tables.find(table.entity_set, wanted[table.key])
        else:
            rows = self._tables.rows(table.entity_set)
            row = next((row for row in rows if wanted.items() <= row.items()), None)
        if row is None:
            raise no_such_row(table.logical_name, str(wanted.get(table.key, key)))
        return row

    def require_readable(self, request: ApiRequest, query: Query) -> None:
        """Refuse (403) a query that expands a table the caller may not read."""
        for expand in query.expands:
            require_privilege(self._tables, request.user, "Read", expand.query.table)
            self.require_readable(request, expand.query)

    def _query(self, request: ApiRequest, table: Table) -> Query:
        query = read_query(request.options, table, self._tables)
        self.require_readable(request, query)
        return query

    def _read_set(self, request: ApiRequest, table: Table) -> Response:
        if is_tracked(request):
            self._changes.require_trackable(request, table)
            return self._changes.read(request, self._query(request, table))
        query = self._query(request, table)
        return self._answer_rows(request, query, query.read_rows(self._tables))

    def _read_row(self, request: ApiRequest, table: Table, row: Row) -> Response:
        _require_only(request, {"$select", "$expand"})
        if request.headers.get("if-none-match") == render_etag(row):
            return answer_nothing(status=304)
        return self._answer_row(request, self._query(request, table), row)

    def _answer_row(self, request: ApiRequest, query: Query, row: Row) -> Response:
        renderer = Renderer(tables=self._tables, annotations=request.prefer.annotations)
        context = {"@odata.context": render_context(request.root, query, "/$entity")}
        return answer_json(context | renderer.render(row, query), headers={"ETag": render_etag(row)})

    def _read_related(self, request: ApiRequest, table: Table, row: Row, name: str) -> Response:
        navigation = table.navigations.get(name)
        if navigation is None:
            raise unknown_segment(name)
        target = self._tables.schema[navigation.target]
        require_privilege(self._tables, request.user, "Read", target)
        query = self._query(request, target)
        if not navigation.is_single:
            related = self._tables.related(table, row, navigation)
            return self._answer_rows(request, query, query.select_rows(related))
        found = self._tables.follow(row, navigation)
        return answer_nothing() if found is None else self._answer_row(request, query, found)

    def _read_property(self, request: ApiRequest, table: Table, row: Row, name: str) -> Response:
        _require_only(request, set())
        value = row.get(name)
        if value is None:
            return answer_nothing()
        context = f"{request.root}/$metadata#{table.entity_set}({row[table.key]})/{name}"
        return answer_json({"@odata.context": context, "value": value})

    def _read_references(self, request: ApiRequest, table: Table, row: Row, name: str) -> Response:
        navigation = table.navigations.get(name)
        if navigation is None:
            raise unknown_segment(name)
        _require_only(request, set())
        target = self._tables.schema[navigation.target]
        require_privilege(self._tables, request.user, "Read", target)

        def refer(found: Row) -> dict[str, str]:
            return {"@odata.id": f"{request.root}/{target.entity_set}({found[target.key]})"}

        if navigation.is_single:
            followed = self._tables.follow(row, navigation)
            context = {"@odata.context": f"{request.root}/$metadata#$ref"}
            return answer_nothing() if followed is None else answer_json(context | refer(followed))
        rows = self._tables.related(table, row, navigation)
        context = {"@odata.context": f"{request.root}/$metadata#Collection($ref)"}
        return answer_json({**context, "value": [refer(each) for each in rows]})

    def _count(self, request: ApiRequest, table: Table) -> Response:
        if "$deltatoken" in request.options:
            self._changes.require_trackable(request, table)
            _require_only(request, {"$deltatoken"})
            number = self._changes.count(request, table)
        else:
            _require_only(request, {"$filter"})
            number = len(self._query(request, table).read_rows(self._tables))
        return Response(str(min(number, PAGE_LIMIT)), media_type="text/plain")

    def _answer_rows(self, request: ApiRequest, query: Query, rows: list[Row]) -> Response:
        position = read_position(request)
        limited = rows if request.prefer.page_size or query.top is None else rows[: query.top]
        page, last = cut_page(limited, query.table.key, position, size_page(request))
        renderer = Renderer(tables=self._tables, annotations=request.prefer.annotations)
        body: dict[str, Any] = {"@odata.context": render_context(request.root, query)}
        body |= _render_count(renderer, query, len(rows))
        body["value"] = [renderer.render(row, query) for row in page]
        if last is not None:
            number = position.page + 1 if position else 2
            body["@odata.nextLink"] = write_next_link(request, Position(page=number, last=last))
        return answer_json(body)


def _answer_value(value: object) -> Response:
    """Answer a raw value (OData 4.0, section 11.2.4.1)."""
    if value is None:
        return answer_nothing()
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Response(text, media_type="text/plain")


def _render_count(renderer: Renderer, query: Query, number: int) -> dict[str, Any]:
    if not query.count:
        return {}
    counted: dict[str, Any] = {"@odata.count": min(number, PAGE_LIMIT)}
    if renderer.wants("Microsoft.Dynamics.CRM.totalrecordcount"):
        counted["@Microsoft.Dynamics.CRM.totalrecordcount"] = min(number, PAGE_LIMIT)
        counted["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] = number > PAGE_LIMIT
    return counted


def _require_only(request: ApiRequest, allowed: set[str]) -> None:
    refused = sorted(set(request.options) - allowed)
    if refused:
        raise bad_query(f"Query option '{refused[0]}' is not allowed on this resource.")
