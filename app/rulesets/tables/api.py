"""`/admin/tables`: lists that rules look up, such as blocked callers, staff numbers or brands by called number."""

from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status

from app.auth.access import RulesReaderDep, TableManagerDep
from app.auth.principals import Permission
from app.calls.redaction import HIDDEN
from app.errors import PreconditionFailedError
from app.observability.redaction import redact_number
from app.routing.calls import Scalar
from app.rulesets.components import RulesetsState
from app.rulesets.live_data import LoadedTable
from app.rulesets.tables.content import MAX_COLUMNS, MAX_ROWS, Row, write_csv
from app.rulesets.tables.schemas import KeyKind, TableBody, TableList, TablePage, TablePatch, TableVersionPage
from app.rulesets.tables.store import TableHead
from app.rulesets.tables.tables import Tables
from app.store.pages import cut_page, read_cursor
from app.web.limits import HeavyRoute, HeavyWorkDep
from app.web.parameters import IfMatchDep, OptionalIfMatchDep, StrictBody, tag
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["router"]

router = APIRouter(prefix="/admin/tables", tags=["Rules"], route_class=HeavyRoute)

_CSV = "text/csv; charset=utf-8"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"At most {MAX_ROWS:,} rows, and {MAX_COLUMNS} columns besides the key.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "number,queue\n+358912345678,sales\n+358912345679,support\n",
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["rows"],
                    "properties": {"rows": {"type": "array", "items": {"type": "object"}}},
                },
                "example": {"rows": [{"number": "+358912345678", "queue": "sales"}]},
            },
        },
    }
}
TableName = Annotated[
    str,
    Path(
        pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="Its name: letters, digits, `_` and `-`, at most 64.",
        openapi_examples={"blocked": {"value": "blocked"}},
    ),
]
After = Annotated[str | None, Query(max_length=20, description="`next` of the page before.")]


async def _read_tables(request: Request) -> Tables:
    return read_state(request.scope, RulesetsState)["rulesets"].tables


async def _read_body(request: Request) -> tuple[bytes, bool]:
    """Return the body, and whether it is JSON and not CSV."""
    return await request.body(), "json" in request.headers.get("Content-Type", "")


async def _read_version(version: IfMatchDep) -> int:
    return _read_number(version)


async def _read_optional_version(version: OptionalIfMatchDep) -> int | None:
    return None if version is None else _read_number(version)


def _read_number(version: str) -> int:
    if not (version.isascii() and version.isdecimal()):
        raise PreconditionFailedError("If-Match is not the ETag of this table; read it again")
    return int(version)


TablesDep = Annotated[Tables, Depends(_read_tables)]
VersionDep = Annotated[int, Depends(_read_version)]
OptionalVersionDep = Annotated[int | None, Depends(_read_optional_version)]
BodyDep = Annotated[tuple[bytes, bool], Depends(_read_body)]


@router.get("", summary="List tables")
async def list_tables(_reader: RulesReaderDep, tables: TablesDep) -> TableList:
    """List every table without its rows."""
    return TableList(items=[TableBody.of(head) for head in await tables.list_heads()])


@router.get(
    "/{name}",
    summary="Show a table",
    response_model=TablePage,
    responses={**problems(404, 422), 200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def show_table(
    *,
    name: TableName,
    reader: RulesReaderDep,
    tables: TablesDep,
    heavy_work: HeavyWorkDep,
    format: Annotated[  # noqa: A002 - the name of the parameter
        Literal["json", "csv"], Query(description="`csv` is the whole table, as it can be put again.")
    ] = "json",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: After = None,
) -> Response:
    """Show rows in the order of their keys; numbers are masked and values hidden from whoever may not see numbers."""
    loaded = await tables.show(name)
    hidden = not reader.may(Permission.REVEAL_NUMBERS)
    if format == "csv":
        content, kind = await heavy_work.run(_write_csv, loaded, hidden=hidden), _CSV
    else:
        page = await heavy_work.run(
            _make_page, loaded, hidden=hidden, limit=limit, start=int(read_cursor(after or "0"))
        )
        content, kind = page.model_dump_json().encode(), "application/json"
    response = Response(content, media_type=kind)
    tag(response, str(loaded.head.version))
    return response


@router.get("/{name}/history", summary="List the changes of a table", responses=problems(422, 503))
async def list_changes(
    name: TableName,
    _reader: RulesReaderDep,
    tables: TablesDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: After = None,
) -> TableVersionPage:
    """List who changed how many rows when, the newest first; what was in them is not kept."""
    return TableVersionPage.model_validate(await tables.history(name, limit=limit, after=after))


@router.put("/{name}", summary="Put a table", responses=problems(409, 412, 413, 422, 428, 503), openapi_extra=_BODY)
async def put_table(
    *,
    name: TableName,
    body: BodyDep,
    who: TableManagerDep,
    version: OptionalVersionDep,
    tables: TablesDep,
    response: Response,
    keyed_by: Annotated[
        KeyKind, Query(description="`number`: keys are phone numbers, brought to E.164; `text`: anything else.")
    ] = "number",
    key: Annotated[str | None, Query(max_length=100, description="The column of keys; else the first one.")] = None,
) -> TableBody:
    """Put a whole table, as CSV or JSON: the next call looks up in it, on every replica within two seconds.

    422 names row and column of each mistake; nothing is changed then.
    """
    content, is_json = body
    head = await tables.put(
        name,
        content,
        is_json=is_json,
        key=key,
        by_number=keyed_by == "number",
        expected=version,
        author=who.name,
    )
    return _answer(head, response)


@router.patch("/{name}", summary="Change rows", responses=problems(404, 409, 412, 422, 428, 503))
async def change_rows(
    *,
    name: TableName,
    body: StrictBody[TablePatch],
    who: TableManagerDep,
    version: VersionDep,
    tables: TablesDep,
    response: Response,
) -> TableBody:
    """Add rows, change some of their columns, remove rows."""
    return _answer(await tables.patch(name, body.rows, body.remove, expected=version, author=who.name), response)


@router.delete(
    "/{name}",
    summary="Delete a table",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 409, 412, 422, 428, 503),
)
async def delete_table(name: TableName, who: TableManagerDep, version: VersionDep, tables: TablesDep) -> None:
    """Delete a table that the live rules do not read."""
    await tables.delete(name, expected=version, author=who.name)


def _answer(head: TableHead, response: Response) -> TableBody:
    tag(response, str(head.version))
    return TableBody.of(head)


def _make_page(loaded: LoadedTable, *, hidden: bool, limit: int, start: int) -> TablePage:
    rows = list(islice(loaded.content.rows.values(), start, start + limit + 1))
    page = cut_page(rows, range(start + 1, start + limit + 2), limit)
    names = (loaded.content.key, *loaded.content.columns)
    shown = [_hide(row, loaded) if hidden else row for row in page.items]
    items = [dict(zip(names, row, strict=True)) for row in shown]
    return TablePage(**TableBody.of(loaded.head).model_dump(), items=items, next=page.next)


def _write_csv(loaded: LoadedTable, *, hidden: bool) -> bytes:
    rows = loaded.content.rows.values()
    return write_csv(loaded.content, (_hide(row, loaded) for row in rows) if hidden else rows)


def _hide(row: Row, loaded: LoadedTable) -> Row:
    key = HIDDEN if loaded.content.region is None else redact_number(str(row[0]))
    return (key, *(_hide_value(value) for value in row[1:]))


def _hide_value(value: Scalar) -> Scalar:
    return value if value is None or isinstance(value, bool) else HIDDEN
