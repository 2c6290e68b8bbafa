"""`/admin/reports`: figures as JSON, CSV and pictures."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.auth.access import DecisionReaderDep
from app.reports.charts import draw
from app.reports.components import ReportComponents, ReportsState
from app.reports.figures import REPORTS, ReportKind
from app.reports.periods import Grain, Period
from app.reports.schemas import Form, Report, ReportList, ReportQuery, ReportRange, ReportSummary, choose_form
from app.web.limits import HeavyRoute, HeavyWorkDep
from app.web.problems import problems
from app.web.spreadsheets import list_columns, write_lines
from app.web.state import read_state

__all__ = ["router"]

router = APIRouter(prefix="/admin/reports", tags=["Reports"], route_class=HeavyRoute)

_PICTURE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Vary": "Accept"}
"""A picture opened by itself brings its own styles, and nothing else."""
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report, in the form that `format` or the header `Accept` names.",
        "content": {"text/csv": {"schema": {"type": "string"}}, "image/svg+xml": {"schema": {"type": "string"}}},
    }
}


async def _read_components(request: Request) -> ReportComponents:
    return read_state(request.scope, ReportsState)["reports"]


ReportsDep = Annotated[ReportComponents, Depends(_read_components)]


@router.get("", summary="List the reports")
async def list_reports(_reader: DecisionReaderDep, reports: ReportsDep) -> ReportList:
    """List the reports there are and the question each answers; `GET /admin/reports/{report}` answers it."""
    settings = reports.read_settings().reports
    links = {"enreach_reports": settings.enreach_reports_url, "dynamics_dashboard": settings.dynamics_dashboard_url}
    return ReportList(
        items=[ReportSummary(report=kind.name, question=kind.question) for kind in REPORTS.values()],
        links={name: url for name, url in links.items() if url is not None},
    )


def _add_route(kind: ReportKind) -> None:
    """Offer one report; each has rows of its own shape."""
    asked: Any = Annotated[ReportQuery if kind.of_decisions else ReportRange, Query()]

    async def report(
        request: Request,
        _reader: DecisionReaderDep,
        reports: ReportsDep,
        heavy_work: HeavyWorkDep,
        query: asked,
    ) -> Any:
        periods = query.list_periods(reports.clock(), reports.usual_zone)
        rows = await reports.make(kind, periods, query.make_filter())
        form = query.format or choose_form(request.headers.get("accept", ""))
        if form is Form.CSV:
            content = await heavy_work.run(_write_csv, rows)
            disposition = f'attachment; filename="{kind.name}.csv"'
            return Response(content, media_type="text/csv", headers={"Content-Disposition": disposition})
        if form is Form.SVG:
            picture = await heavy_work.run(draw, kind.name, rows, query.by, str(periods[0].start.tzinfo))
            return Response(picture, media_type="image/svg+xml", headers=_PICTURE)
        return Response(await heavy_work.run(_write_json, kind, query.by, periods, rows), media_type="application/json")

    router.get(
        f"/{kind.name}",
        name=f"report_{kind.name.replace('-', '_')}",
        summary=kind.question,
        description=(
            f"{kind.question} One row for each period, also where nobody called; times are those of `time_zone`. "
            f"{kind.note}"
        ),
        response_model=Report[kind.row],  # type: ignore[name-defined]
        responses={**_FORMS, **problems(422, 503)},
    )(report)


def _write_json(kind: ReportKind, by: Grain, periods: Sequence[Period], rows: Sequence[Any]) -> bytes:
    report = Report[kind.row](  # type: ignore[name-defined]
        report=kind.name,
        begin=datetime.fromtimestamp(periods[0].begin, periods[0].start.tzinfo),
        until=datetime.fromtimestamp(periods[-1].end, periods[-1].start.tzinfo),
        by=by,
        time_zone=str(periods[0].start.tzinfo),
        rows=rows,
    )
    return report.model_dump_json(by_alias=True).encode()


def _write_csv(rows: Sequence[Any]) -> str:
    documents = [asdict(row) for row in rows]
    return write_lines(list_columns(documents), documents)


for _kind in REPORTS.values():
    _add_route(_kind)
