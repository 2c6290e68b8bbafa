"""Calls that go round in circles."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.calls.route_call import LoopGuard
from app.routing.calls import Call
from app.routing.decisions import Decision, Destination, DestinationKind, Outcome
from app.routing.numbers import NumberKind, PhoneNumber

NOBODY = PhoneNumber(None, NumberKind.WITHHELD)
REDIRECT = Decision(outcome=Outcome.REDIRECT, rule="r", target=Destination(DestinationKind.QUEUE, "q", "queue", None))


def make_call(call_id: str | None, queue: str | None) -> Call:
    """Make a call in a queue."""
    return Call(caller=NOBODY, called=NOBODY, call_id=call_id, queue_id=queue)


def test_call_is_stopped_after_the_most_hops() -> None:
    """A call may come back from another place so many times, and no more; the reason is told."""
    guard = LoopGuard(max_redirects=2, monotonic=lambda: 0.0)

    found = [guard.limit(make_call("c", queue), REDIRECT) for queue in ("a", "b", "a", "b")]

    assert [(decision.outcome.value, count) for decision, count in found] == [
        *(("redirect", 0), ("redirect", 1), ("redirect", 2), ("no_change", 3)),
    ]
    assert found[-1][0] == Decision(
        outcome=Outcome.NO_CHANGE, rule="r", reason="redirect loop: this call was redirected 3 times already"
    )


@given(st.lists(st.sampled_from(["a", "b", None]), max_size=30))
def test_call_without_an_id_is_never_held_back(queues: list[str | None]) -> None:
    """What cannot be followed is not counted."""
    guard = LoopGuard(max_redirects=1, monotonic=lambda: 0.0)

    assert all(guard.limit(make_call(None, queue), REDIRECT) == (REDIRECT, 0) for queue in queues)


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), st.sampled_from(["a", "b", "c"])), max_size=40))
def test_hops_count_changes_of_place(moves: list[tuple[str, str]]) -> None:
    """Each call is counted for itself, and only going to another place counts."""
    guard = LoopGuard(max_redirects=100, monotonic=lambda: 0.0)
    places: dict[str, list[str]] = {"x": [], "y": []}

    for call_id, queue in moves:
        path = places[call_id]
        path.append(queue)
        expected = sum(before != after for before, after in pairwise(path))
        assert guard.limit(make_call(call_id, queue), REDIRECT) == (REDIRECT, expected)


def test_other_outcomes_are_no_hops() -> None:
    """No change and the end of a call go nowhere."""
    guard = LoopGuard(max_redirects=1, monotonic=lambda: 0.0)
    for decision in (Decision(outcome=Outcome.NO_CHANGE), Decision(outcome=Outcome.DISCONNECT)):
        for queue in ("a", "b", "a", "b"):
            assert guard.limit(make_call("c", queue), decision) == (decision, 0)


def test_calls_are_forgotten_after_an_hour() -> None:
    """A call id that was not seen for an hour begins anew."""
    now = [0.0]
    guard = LoopGuard(max_redirects=1, monotonic=lambda: now[0])
    guard.limit(make_call("c", "a"), REDIRECT)
    now[0] = 3601.0

    assert guard.limit(make_call("c", "b"), REDIRECT) == (REDIRECT, 0)
