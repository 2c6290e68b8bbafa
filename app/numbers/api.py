"""`/admin/numbers`: what is wrong with the numbers in Dynamics, who shares one, and their correction."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from app.auth.access import DecisionReaderDep, OperatorDep
from app.auth.principals import Permission, Principal
from app.numbers.components import NumberComponents, NumbersState
from app.numbers.corrections import RecordResult
from app.numbers.hygiene import FaultyNumbers
from app.numbers.schemas import (
    CorrectionBody,
    NumbersBody,
    NumbersForm,
    NumbersQuery,
    SharedBody,
    SharedPage,
    SharedQuery,
    Show,
    SuggestionBody,
    show_result,
    write_csv,
)
from app.operations.api import OperationsDep, answer_started
from app.operations.jobs import Progress
from app.operations.schemas import JobBody
from app.web.parameters import JobId, StrictBody
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["router"]

router = APIRouter(prefix="/admin/numbers", tags=["Numbers"])

_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The page, or with `format=csv` the whole list.", "content": {"text/csv": {}}}
}


async def _read_components(request: Request) -> NumberComponents:
    return read_state(request.scope, NumbersState)["numbers"]


NumbersDep = Annotated[NumberComponents, Depends(_read_components)]


async def _read_record_id(
    record_id: Annotated[
        UUID,
        Path(
            description="The id of a contact or an account in Dynamics.",
            openapi_examples={"demo": {"value": "c0000000-0000-4000-8000-000000000001"}},
        ),
    ],
) -> str:
    return str(record_id)


RecordId = Annotated[str, Depends(_read_record_id)]


@router.get("", summary="List numbers to look at", response_model=NumbersBody, responses={**_CSV, **problems(422, 503)})
async def list_numbers(
    query: Annotated[NumbersQuery, Query()], who: DecisionReaderDep, numbers: NumbersDep
) -> NumbersBody | Response:
    """Count what is wrong with stored numbers, by day, and list the records with links into Dynamics.

    Roles that may not see numbers get their shape; to the others they are shown in full, which leaves an audit record.
    """
    show = await _make_show(who, numbers, query.fault or "all")
    if query.format is NumbersForm.CSV:
        pages = numbers.hygiene.walk(query.fault)
        disposition = {"Content-Disposition": 'attachment; filename="numbers.csv"'}
        return StreamingResponse(_write_lines(pages, show), media_type="text/csv", headers=disposition)
    page = await numbers.hygiene.page(query.fault, limit=query.limit, after=query.after)
    return NumbersBody.of(await numbers.hygiene.describe(), page.items, page.next, show)


@router.get("/shared", summary="List shared numbers", responses=problems(422, 503))
async def list_shared(
    query: Annotated[SharedQuery, Query()], who: DecisionReaderDep, numbers: NumbersDep
) -> SharedPage:
    """List numbers that several active records carry, and who a call from each is taken for, with the reason."""
    show = await _make_show(who, numbers, "shared")
    page = await numbers.hygiene.list_shared(limit=query.limit, after=query.after)
    return SharedPage(items=[SharedBody.of(item, show) for item in page.items], next=page.next)


@router.post("/{record_id}/suggest", summary="Suggest E.164", responses=problems(404, 422, 502, 503, 504))
async def suggest_numbers(record_id: RecordId, who: DecisionReaderDep, numbers: NumbersDep) -> SuggestionBody:
    """Read a contact or an account in Dynamics and say how its numbers should be written. Nothing is changed."""
    show = await _make_show(who, numbers, record_id)
    return SuggestionBody.of(await numbers.corrections.suggest(record_id), show)


@router.post(
    "/corrections",
    summary="Correct numbers",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(409, 422, 503),
)
async def correct_numbers(
    body: StrictBody[CorrectionBody],
    who: OperatorDep,
    numbers: NumbersDep,
    operations: OperationsDep,
    response: Response,
) -> JobBody:
    """Write the suggestions of these records into Dynamics, in a job; what would lose an extension or a note stays.

    Needs `correct_numbers` in the settings group `smart-routing`; a dry run does not.
    """
    if not body.dry_run:
        numbers.corrections.require_enabled()
    ids = body.list_ids()

    async def work(progress: Progress) -> object:
        results = await numbers.corrections.correct(
            ids, job=progress.job_id, who=who.name, dry_run=body.dry_run, on_progress=progress.note
        )
        return {"dry_run": body.dry_run, **_show_results(results)}

    job = await operations.jobs.start("number-corrections", work, author=who.name, total=len(ids))
    return answer_started(job, response)


@router.post(
    "/corrections/{job_id}/undo",
    summary="Undo corrections",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(404, 422, 503),
)
async def undo_corrections(
    job_id: JobId, who: OperatorDep, numbers: NumbersDep, operations: OperationsDep, response: Response
) -> JobBody:
    """Put back what a job has rewritten, in a job of its own; what was changed since stays as it is."""
    corrected = await numbers.corrections.list_corrected(job_id)

    async def work(progress: Progress) -> object:
        results = await numbers.corrections.undo(corrected, who=who.name, on_progress=progress.note)
        return {"undone": job_id, **_show_results(results)}

    job = await operations.jobs.start("number-corrections-undo", work, author=who.name, total=len(corrected))
    return answer_started(job, response)


async def _make_show(who: Principal, numbers: NumberComponents, what: str) -> Show:
    """Make what shows numbers to somebody; in full only to who may see them, and noted in the audit first."""
    revealed = who.may(Permission.REVEAL_NUMBERS)
    if revealed:
        await numbers.hygiene.note_reading(who.name, what)
    return Show(revealed=revealed, organisation=numbers.read_settings().dataverse.url)


async def _write_lines(pages: AsyncIterator[Sequence[FaultyNumbers]], show: Show) -> AsyncIterator[str]:
    header = True
    async for items in pages:
        yield write_csv(items, show, header=header)
        header = False


def _show_results(results: Sequence[RecordResult]) -> dict[str, object]:
    counts = Counter(result.outcome.value for result in results)
    return {"counts": counts, "records": [show_result(result) for result in results]}
