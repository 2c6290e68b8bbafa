"""Answers reads with change tracking: every row first, then what changed (Dataverse contract, section 1.8)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from app.emulators.dataverse.access import ORGANISATION_DEPTH, require_privilege
from app.emulators.dataverse.answers import answer_json
from app.emulators.dataverse.clock import Clock
from app.emulators.dataverse.delta_tokens import DeltaToken, read_delta_token, require_fresh, version_stamp_expired
from app.emulators.dataverse.errors import bad_query
from app.emulators.dataverse.organisation import read_tracking_days
from app.emulators.dataverse.paging import Position, read_position, size_page, take_page, write_next_link
from app.emulators.dataverse.query import Query
from app.emulators.dataverse.rendering import Renderer, render_context
from app.emulators.dataverse.requests import ApiRequest
from app.emulators.dataverse.schema import Table
from app.emulators.dataverse.tables import Row, Tables

_REFUSED_OPTIONS = ("$filter", "$orderby", "$expand", "$top")
Change = Row | str
"""A row as it is now, or the id of one that has gone."""


class ChangeReader:
    """Answers GET requests that ask for a delta link or follow one."""

    def __init__(self, *, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def require_trackable(self, request: ApiRequest, table: Table) -> None:
        """Refuse what does not go with change tracking, and callers who may not read the whole table."""
        for name in _REFUSED_OPTIONS:
            if name in request.options:
                raise bad_query(f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.')
        if not table.tracks_changes:
            raise bad_query(f"Change tracking is not enabled for the entity '{table.logical_name}'.")
        require_privilege(self._tables, request.user, "Read", table, depth=ORGANISATION_DEPTH)

    def read(self, request: ApiRequest, query: Query) -> Response:
        """Answer one page; the last one carries the link to what changes from the beginning of this reading on.

        As that link dates from the first page, a change between two pages is told by the next delta at the latest.
        """
        position = read_position(request)
        began = self._read_token(position.start, query.table) if position else self._issue_token(query.table)
        since = self._read_since(request, query.table)
        last = position.last if position else ""
        items = self._all(query.table, last) if since is None else self._changes(query.table, since, began, last)
        page, place = take_page(items, size_page(request))
        renderer = Renderer(tables=self._tables, annotations=request.prefer.annotations)
        context = render_context(request.root, query, "" if since is None else "/$delta")
        body: dict[str, Any] = {"@odata.context": context}
        body["value"] = [_render_change(renderer, query, request.root, change) for change in page]
        if place is None:
            return answer_json(body | {"@odata.deltaLink": _write_delta_link(request, began)})
        number = position.page + 1 if position else 2
        link = write_next_link(request, Position(page=number, last=place, start=began.spell()))
        return answer_json(body | {"@odata.nextLink": link})

    def count(self, request: ApiRequest, table: Table) -> int:
        """Return how many changes the delta token of a request leads to."""
        since = self._read_token(request.options["$deltatoken"], table)
        return sum(1 for _ in self._changes(table, since, self._issue_token(table), ""))

    def _read_since(self, request: ApiRequest, table: Table) -> DeltaToken | None:
        return self._read_token(request.options["$deltatoken"], table) if "$deltatoken" in request.options else None

    def _issue_token(self, table: Table) -> DeltaToken:
        return DeltaToken(version=self._tables.version, issued=self._clock(), table=table.logical_name)

    def _read_token(self, text: str, table: Table) -> DeltaToken:
        token = read_delta_token(text, table=table.logical_name)
        require_fresh(token, now=self._clock(), days=read_tracking_days(self._tables))
        if not self._tables.knows_changes_since(table.entity_set, token.version):
            raise version_stamp_expired()
        return token

    def _all(self, table: Table, last: str) -> Iterator[tuple[str, Change]]:
        """Rows in the order of ids, so that none is skipped when others come and go between two pages."""
        return self._tables.rows_by_id(table.entity_set, after=last)

    def _changes(self, table: Table, since: DeltaToken, until: DeltaToken, last: str) -> Iterator[tuple[str, Change]]:
        """First the changed rows in the order of their versions, then the removed ones; a place is a version.

        Places of removals are negative. What happens after `until` is left to the next delta.
        """
        place = int(last or since.version)
        if place > 0:
            for row in self._tables.changed_rows(table.entity_set, after=place, upto=until.version):
                yield str(row["versionnumber"]), row
        after = since.version if place > 0 else -place
        for key, version in self._tables.removals(table.entity_set, after=after, upto=until.version):
            yield str(-version), key


def _write_delta_link(request: ApiRequest, token: DeltaToken) -> str:
    parts = [p for p in request.raw_query.split("&") if p and not p.startswith(("$skiptoken=", "$deltatoken="))]
    query = "&".join([*parts, f"$deltatoken={quote(token.spell(), safe='')}"])
    return f"{request.root}/{request.raw_path}?{query}"


def _render_change(renderer: Renderer, query: Query, root: str, change: Change) -> dict[str, Any]:
    if isinstance(change, str):
        context = f"{root}/$metadata#{query.table.entity_set}/$deletedEntity"
        return {"@odata.context": context, "id": change, "reason": "deleted"}
    return renderer.render(change, query)
