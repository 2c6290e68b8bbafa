"""Answers reads: a set, a row, related rows, counts and changes (Dataverse contract, sections 1.3, 1.4 and 1.8)."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from app.emulators.dataverse.access import ORGANISATION_DEPTH, require_privilege
from app.emulators.dataverse.answers import answer_json, answer_nothing
from app.emulators.dataverse.clock import Clock
from app.emulators.dataverse.errors import bad_query, no_such_row, unknown_segment
from app.emulators.dataverse.paging import (
    Position,
    cut_page,
    read_delta_token,
    read_skip_token,
    write_delta_token,
    write_skip_token,
)
from app.emulators.dataverse.query import PAGE_LIMIT, Query, read_query
from app.emulators.dataverse.rendering import Renderer, render_context, render_etag
from app.emulators.dataverse.requests import ApiRequest, find_table, read_key
from app.emulators.dataverse.schema import Table
from app.emulators.dataverse.tables import Row, Tables

_UNTRACKABLE = ("$filter", "$orderby", "$expand", "$top")


class Reader:
    """Answers GET requests from the tables."""

    def __init__(self, *, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def read(self, request: ApiRequest) -> Response:
        """Answer `GET <set>`, `<set>(<key>)`, `<set>(<key>)/<navigation>` and `<set>/$count`."""
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
            case str(key), [navigation] if rest[0].key is None:
                return self._read_related(request, table, self.find(table, key), navigation)
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
        if "$deltatoken" in request.options or request.prefer.track_changes:
            return self._read_changes(request, table)
        rows = self._tables.rows(table.entity_set)
        return self._answer_rows(request, self._query(request, table), rows=list(rows))

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
            return self._answer_rows(request, query, rows=self._tables.related(table, row, navigation))
        found = self._tables.follow(row, navigation)
        return answer_nothing() if found is None else self._answer_row(request, query, found)

    def _count(self, request: ApiRequest, table: Table) -> Response:
        if "$deltatoken" in request.options:
            since = read_delta_token(request.options["$deltatoken"], self._clock())
            number = len(self._changes(table, since))
        else:
            _require_only(request, {"$filter"})
            number = len(self._query(request, table).select_rows(self._tables.rows(table.entity_set)))
        return Response(str(min(number, PAGE_LIMIT)), media_type="text/plain")

    def _answer_rows(self, request: ApiRequest, query: Query, *, rows: Sequence[Row]) -> Response:
        chosen = query.select_rows(rows)
        size = request.prefer.page_size or PAGE_LIMIT
        limit = None if request.prefer.page_size else query.top
        page = self._page(request, [(row[query.table.key], row) for row in chosen[:limit]], size, self._tables.version)
        renderer = Renderer(tables=self._tables, annotations=request.prefer.annotations)
        body: dict[str, Any] = {"@odata.context": render_context(request.root, query)}
        body |= _render_count(renderer, query, len(chosen))
        body["value"] = [renderer.render(row, query) for row in page[0]]
        return answer_json(body | page[1])

    def _page(
        self, request: ApiRequest, items: Sequence[tuple[str, Any]], size: int, upto: int
    ) -> tuple[list[Any], dict[str, str]]:
        """Return the items of the requested page, and the link to the next one if there is one."""
        position = read_skip_token(request.raw_query, page_size=size)
        page, last = cut_page(items, position, size)
        if last is None:
            return page, {}
        raw = request.raw_query.partition("$skiptoken=")[0].removesuffix("&")
        number = position.page + 1 if position else 2
        token = write_skip_token(Position(page=number, last=last, upto=upto), raw_query=raw, page_size=size)
        link = f"{request.root}/{request.raw_path}?{raw}{'&' if raw else ''}$skiptoken={token}"
        return page, {"@odata.nextLink": link}

    def _read_changes(self, request: ApiRequest, table: Table) -> Response:
        for name in _UNTRACKABLE:
            if name in request.options:
                raise bad_query(f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.')
        if not table.tracks_changes:
            raise bad_query(f"Change tracking is not enabled for the entity '{table.logical_name}'.")
        require_privilege(self._tables, request.user, "Read", table, depth=ORGANISATION_DEPTH)
        return self._answer_changes(request, table, self._query(request, table))

    def _answer_changes(self, request: ApiRequest, table: Table, query: Query) -> Response:
        """A first read gives every row, a delta read what changed; the last page carries the next delta link.

        The next delta starts where this reading began, so that a change between two pages is not lost.
        """
        size = request.prefer.page_size or PAGE_LIMIT
        position = read_skip_token(request.raw_query, page_size=size)
        upto = position.upto if position else self._tables.version
        token = request.options.get("$deltatoken")
        since = None if token is None else read_delta_token(token, self._clock())
        items = self._all(table) if since is None else self._changes(table, since)
        page, link = self._page(request, items, size, upto)
        renderer = Renderer(tables=self._tables, annotations=request.prefer.annotations)
        body: dict[str, Any] = {
            "@odata.context": render_context(request.root, query, "" if since is None else "/$delta")
        }
        body["value"] = [_render_change(renderer, query, request.root, change) for change in page]
        return answer_json(body | (link or {"@odata.deltaLink": self._delta_link(request, upto)}))

    def _all(self, table: Table) -> list[tuple[str, Row | str]]:
        return sorted((row[table.key], row) for row in self._tables.rows(table.entity_set))

    def _changes(self, table: Table, since: int) -> list[tuple[str, Row | str]]:
        """Rows changed after version `since`, and ids of rows removed after it, oldest first."""
        rows = [row for row in self._tables.rows(table.entity_set) if row["versionnumber"] > since]
        dated: list[tuple[int, str, Row | str]] = [(row["versionnumber"], row[table.key], row) for row in rows]
        dated += [(version, key, key) for key, version in self._tables.removals(table.entity_set, since=since).items()]
        return [(key, change) for _, key, change in sorted(dated, key=lambda item: item[0])]

    def _delta_link(self, request: ApiRequest, version: int) -> str:
        kept = "&".join(
            part
            for part in request.raw_query.split("&")
            if part and not part.startswith(("$skiptoken=", "$deltatoken="))
        )
        token = write_delta_token(version, self._clock())
        return f"{request.root}/{request.raw_path}?{kept}{'&' if kept else ''}$deltatoken={token}"


def _render_change(renderer: Renderer, query: Query, root: str, change: Row | str) -> dict[str, Any]:
    if isinstance(change, str):
        context = f"{root}/$metadata#{query.table.entity_set}/$deletedEntity"
        return {"@odata.context": context, "id": change, "reason": "deleted"}
    return renderer.render(change, query)


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
