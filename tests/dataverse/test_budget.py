"""The request budget: a sliding window, exact to the request."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.dataverse.client import RequestBudget


def test_budget_opens_as_old_requests_slide_out() -> None:
    """Two requests in ten seconds: the third waits until the first is ten seconds old."""
    now = 0.0
    budget = RequestBudget(requests=2, seconds=10, monotonic=lambda: now)
    assert budget.spend() == 0
    now = 4.0
    assert (budget.spend(), budget.spend()) == (0, 6)
    now = 10.0
    assert (budget.spend(), budget.spend()) == (0, 4)


def test_a_share_leaves_the_rest_to_others() -> None:
    """Work that may spend half waits at half until its requests slide out; calls go on to the end."""
    now = 0.0
    budget = RequestBudget(requests=4, seconds=10, monotonic=lambda: now)
    assert [budget.spend(share=0.5) for _ in range(3)] == [0, 0, 10]
    now = 4.0
    assert [budget.spend() for _ in range(3)] == [0, 0, 6]
    assert (budget.foresee(share=0.5), budget.foresee()) == (10, 6)
    now = 10.0
    assert (budget.foresee(share=0.5), budget.foresee()) == (4, 0)


def test_a_closed_budget_opens_when_the_longest_pause_is_over() -> None:
    """Nothing is spent meanwhile, whatever is left."""
    now = 0.0
    budget = RequestBudget(requests=2, seconds=10, monotonic=lambda: now)
    budget.close(5)
    budget.close(3)
    assert (budget.spend(), budget.spend(share=0.5)) == (5, 5)
    now = 5.0
    assert (budget.spend(), budget.spend(), budget.spend()) == (0, 0, 10)


@given(
    requests=st.integers(1, 5),
    steps=st.lists(st.integers(0, 4), max_size=60),
)
def test_no_window_holds_more_than_the_budget(requests: int, steps: list[int]) -> None:
    """Whatever the pattern of requests, no span of ten seconds holds more than allowed."""
    now = 0.0
    budget = RequestBudget(requests=requests, seconds=10, monotonic=lambda: now)
    taken = []
    for step in steps:
        now += step
        if not budget.spend():
            taken.append(now)
    assert all(later - earlier >= 10 for earlier, later in zip(taken, taken[requests:], strict=False))
    assert all(earlier <= later for earlier, later in pairwise(taken))
