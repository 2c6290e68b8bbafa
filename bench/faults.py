"""Every fault of the CRM, for callers known in every way, with a valid and with an expired token."""

import io
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from app.emulators.faults import Fault
from app.observability.logging import configure_logging
from bench.output import write
from bench.world import ANNA, KEY, World, open_world

__all__ = ["FAULTS", "STATES", "Case", "Cell", "main", "run_cell"]

_DEADLINE_MS = 1500
_LEEWAY_MS = 50.0


@dataclass(frozen=True, slots=True)
class Case:
    """One fault and what it means for a caller nobody knows yet."""

    name: str
    faults: tuple[dict[str, Any], ...]
    cause: str | None
    """The cause a cold caller is unavailable for; `None` when the caller is found all the same."""
    skew: float = 0.0
    """Hours the organisation's clock is ahead of ours."""


def _api(name: str, cause: str, **fault: Any) -> Case:
    return Case(name, (fault,), cause)


FAULTS = (
    _api("delay", "timeout", kind="delay", seconds=6),
    _api("hang", "timeout", kind="hang"),
    _api("refuse", "error", kind="reset"),
    _api("reset mid-body", "error", kind="reset_mid_body"),
    _api("slow drip", "timeout", kind="drip", seconds=0.5, piece_bytes=4),
    _api("truncated JSON", "error", kind="truncated"),
    _api("garbage", "error", kind="garbage"),
    _api("wrong content type", "error", kind="wrong_type"),
    _api("401", "error", kind="status", status=401),
    _api("403", "error", kind="status", status=403),
    _api("429 Retry-After 5", "throttled", kind="status", status=429, retry_after_s=5),
    _api("500", "error", kind="status", status=500),
    _api("503", "error", kind="status", status=503),
    Case("token endpoint 503", ({"kind": "status", "status": 503, "at": "token"},), "error"),
    Case("token endpoint hangs", ({"kind": "hang", "at": "token"},), "timeout"),
    Case("clock 2 h ahead", (), None, skew=2),
    Case("clock 2 h behind", (), None, skew=-2),
)
STATES = ("cold", "fresh", "stale", "restarted")
_STRANGER = "+358407654321"


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault, and what was known when it happened."""

    case: Case
    state: str
    token_expired: bool

    @property
    def expected(self) -> tuple[str, str | None, str]:
        """The status of the caller, the cause and the source that belong into the record."""
        cause = self.case.cause
        if not self.token_expired and any(fault.get("at") == "token" for fault in self.case.faults):
            cause = None  # nobody needs the token endpoint while the token is valid
        if self.state == "cold":
            return ("identified", None, "live") if cause is None else ("unavailable", cause, "none")
        if self.state == "restarted":
            return ("identified", cause, "live" if cause is None else "snapshot")
        return ("identified", None, self.state)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call got."""

    status: int
    milliseconds: float
    record: tuple[str, str | None, str]

    def judge(self, cell: Cell, deadline_ms: int) -> str:
        """Say what is wrong; nothing when all is well."""
        if self.milliseconds > deadline_ms + _LEEWAY_MS:
            return "late"
        if self.record != cell.expected:
            return f"recorded {self.record} instead of {cell.expected}"
        return "" if self.status == (200 if self.record[0] == "identified" else 204) else f"status {self.status}"


def main(arguments: list[str]) -> None:
    """Print the matrix: milliseconds to the answer, and whether answer and record were as they should be."""
    cases = [case for case in FAULTS if not arguments or case.name in arguments]
    columns = [(state, expired) for expired in (False, True) for state in STATES]
    write(f"{'fault':21}" + "".join(f"{state + (', expired' if expired else ''):>20}" for state, expired in columns))
    configure_logging("info", "json", stream=io.BytesIO())
    bad = 0
    with open_world() as world:
        for case in cases:
            cells = [Cell(case, state, expired) for state, expired in columns]
            outcomes = [(cell, run_cell(world, cell)) for cell in cells]
            bad += sum(bool(outcome.judge(cell, _DEADLINE_MS)) for cell, outcome in outcomes)
            write(f"{case.name:21}" + "".join(f"{_show(*pair):>20}" for pair in outcomes))
    count = len(cases) * len(columns)
    write(f"{count - bad} of {count} within {_DEADLINE_MS + _LEEWAY_MS:.0f} ms, of the right kind, with the true cause")
    if bad:
        raise SystemExit(1)


def run_cell(world: World, cell: Cell, *, deadline_ms: int = _DEADLINE_MS) -> Outcome:
    """Bring a service into a state, let the fault happen, make one call, and read what was recorded."""
    folder = world.folder / f"{time.monotonic_ns()}"
    changes = {
        "webhook": {"deadline_ms": deadline_ms},
        "cache": {"fresh_seconds": 0 if cell.state == "stale" else 60},
    }
    if cell.state == "restarted":
        with world.run_service(folder, {}) as url:
            _call(url, ANNA)
    with _heal_after(world), world.run_service(folder, changes) as url:
        # Where she is to be unknown, somebody else's call opens connection and token.
        _call(url, ANNA if cell.state in {"fresh", "stale"} else _STRANGER)
        world.clock.skew += timedelta(hours=cell.case.skew + (2 if cell.token_expired else 0))
        for fault in cell.case.faults:
            world.emulator.faults.add(Fault(**fault))
        status, milliseconds = _call(url, ANNA)
        world.emulator.faults.clear()
    return Outcome(status, milliseconds, _read_last(folder))


@contextmanager
def _heal_after(world: World) -> Iterator[None]:
    try:
        yield
    finally:
        world.emulator.faults.clear()
        world.clock.skew = timedelta()


def _call(url: str, number: str) -> tuple[int, float]:
    with httpx.Client(timeout=10) as client:
        started = time.perf_counter()
        answer = client.post(
            url + "/smartrouting",
            json={"anum": number, "bnum": "+358912345678"},
            headers={"X-Benemen-APIKey": KEY},
        )
        return answer.status_code, (time.perf_counter() - started) * 1000


def _read_last(folder: Path) -> tuple[str, str | None, str]:
    connection = sqlite3.connect(folder / "service.db")
    try:
        query = "SELECT caller_status, caller_cause, caller_source FROM decisions ORDER BY id DESC LIMIT 1"
        row: tuple[str, str | None, str] = connection.execute(query).fetchone()
        return row
    finally:
        connection.close()


def _show(cell: Cell, outcome: Outcome) -> str:
    problem = outcome.judge(cell, _DEADLINE_MS)
    return f"{outcome.milliseconds:.0f} ms {'ok' if not problem else 'WRONG: ' + problem}"
