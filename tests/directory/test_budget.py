"""The request budget: a sliding window, exact to the request."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.directory.budget import RequestBudget


def test_budget_opens_as_old_requests_slide_out() -> None:
    """Two requests in ten seconds: the third waits until the first is ten seconds old."""
    now = 0.0
    budget = RequestBudget(requests=2, seconds=10, monotonic=lambda: now)
    assert budget.spend() == 0
    now = 4.0
    assert (budget.spend(), budget.spend(), budget.left) == (0, 6, 0)
    now = 10.0
    assert (budget.left, budget.spend(), budget.spend()) == (1, 0, 4)


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
