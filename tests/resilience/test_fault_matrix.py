"""Faults of the CRM against the whole service over real connections; `python -m bench faults` runs all of them."""

from collections.abc import Iterator

import pytest

from bench.faults import FAULTS, STATES, Case, Cell, run_cell
from bench.world import World, open_world

DEADLINE_MS = 1500
ANY_TIME_MS = 60_000
"""How late answers are, `python -m bench faults` measures."""
ALWAYS = {"hang", "reset mid-body", "slow drip", "garbage", "429 Retry-After 5", "503"}
CASES = {case.name: case for case in FAULTS}
LATE = Case("token endpoint is late", ({"kind": "delay", "seconds": 2, "at": "token"},), "timeout")
"""Hangs for as long as a call can wait, but does not keep the service from stopping for 10 s."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One organisation for all tests of this module; each runs a service of its own."""
    with open_world() as world:
        yield world


@pytest.mark.parametrize("name", sorted(ALWAYS))
@pytest.mark.parametrize("state", STATES)
def test_every_fault_is_answered_with_its_cause(world: World, name: str, state: str) -> None:
    """Whatever Dataverse does, the answer is of the right kind, and the record names the true cause."""
    cell = Cell(CASES[name], state, token_expired=False)
    outcome = run_cell(world, cell, deadline_ms=DEADLINE_MS)
    assert outcome.judge(cell, ANY_TIME_MS) == ""


@pytest.mark.parametrize(
    "case", [CASES["500"], CASES["token endpoint 503"], LATE, CASES["clock 2 h ahead"]], ids=lambda case: case.name
)
def test_expired_token_costs_no_answer(world: World, case: Case) -> None:
    """A token that expires at the same moment is renewed within the call, or the call goes on without."""
    cell = Cell(case, "cold", token_expired=True)
    outcome = run_cell(world, cell, deadline_ms=DEADLINE_MS)
    assert outcome.judge(cell, ANY_TIME_MS) == ""
