"""Decisions on the wire, in the log and in words."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.routing.decisions import Decision, Destination, DestinationKind, Message, Outcome
from app.routing.wire import (
    FITTING_SHAPES,
    FieldSpelling,
    ResponseProfile,
    Shape,
    WireAnswer,
    decision_document,
    describe_decision,
    encode_decision,
)

VIP = Destination(DestinationKind.QUEUE, "vip-id", "vip", "VIP service")
OUT = Destination(DestinationKind.NUMBER, "+1", "out")
FULL = Decision(
    outcome=Outcome.REDIRECT,
    rule="vip",
    target=VIP,
    fail_target=OUT,
    required_agent="a1",
    preferred_agents=("a1", "a2"),
    priority=0,
    extra_priority=10,
    messages=(Message("en-GB", "Hello."), Message("fi-FI", "Terve.")),
)
PLAIN = ResponseProfile()


def encode(decision: Decision, profile: ResponseProfile = PLAIN) -> tuple[int, object]:
    """Return status and parsed body."""
    answer = encode_decision(decision, profile)
    return answer.status, None if answer.body is None else orjson.loads(answer.body)


def test_only_verified_keys_by_default() -> None:
    """Without a profile, whatever has no verified key is left out."""
    assert encode(FULL) == (200, {"InitialTarget": "vip-id", "FailTarget": "+1"})


def test_disconnect_and_no_change() -> None:
    """Disconnecting is a target of its own; no change is an empty answer with the configured status."""
    nothing = Decision(outcome=Outcome.NO_CHANGE)

    assert encode(Decision(outcome=Outcome.DISCONNECT)) == (200, {"InitialTarget": "DISCONNECT:"})
    assert encode_decision(nothing, PLAIN) == WireAnswer(204, None)
    assert encode_decision(nothing, ResponseProfile(no_change_status=404)) == WireAnswer(404, None)


@pytest.mark.parametrize(
    ("name", "shape", "value"),
    [
        ("required_agent", Shape.TEXT, "a1"),
        ("required_agent", Shape.LIST, ["a1"]),
        ("required_agent", Shape.COMMA_LIST, "a1"),
        ("preferred_agents", Shape.TEXT, "a1"),
        ("preferred_agents", Shape.LIST, ["a1", "a2"]),
        ("preferred_agents", Shape.COMMA_LIST, "a1,a2"),
        ("priority", Shape.TEXT, "0"),
        ("priority", Shape.NUMBER, 0),
        ("extra_priority", Shape.NUMBER, 10),
        ("messages", Shape.TEXT, "Hello."),
        ("messages", Shape.LIST, ["Hello.", "Terve."]),
        (
            "messages",
            Shape.OBJECTS,
            [{"lang": "en-GB", "say": "Hello."}, {"lang": "fi-FI", "say": "Terve."}],
        ),
        ("messages", Shape.CULTURE_MAP, {"en-GB": "Hello.", "fi-FI": "Terve."}),
    ],
)
def test_fields_with_a_wire_key(name: str, shape: Shape, value: object) -> None:
    """A field goes out under its key and in its shape, once the integrator has set them."""
    profile = ResponseProfile(fields={name: FieldSpelling("Key", shape, "lang", "say")})

    assert encode(FULL, profile) == (200, {"InitialTarget": "vip-id", "FailTarget": "+1", "Key": value})
    assert encode(Decision(outcome=Outcome.REDIRECT, target=VIP), profile) == (200, {"InitialTarget": "vip-id"})


def test_objects_need_the_names_of_their_keys() -> None:
    """Nothing spells messages as objects before the integrator has said under which two keys."""
    for keys in ((), ("lang",), ("same", "same")):
        with pytest.raises(ValueError, match="needs two different keys"):
            ResponseProfile(fields={"messages": FieldSpelling("Key", Shape.OBJECTS, *keys)})


def test_targets_by_template() -> None:
    """The profile says how each kind of destination is spelled."""
    profile = ResponseProfile(targets={DestinationKind.QUEUE: "queue:{id}"})

    assert encode(FULL, profile) == (200, {"InitialTarget": "queue:vip-id", "FailTarget": "+1"})


@pytest.mark.parametrize("place", ["", "  ", "a\nb", "\ud800", "DISCONNECT:"])
def test_unusable_target_becomes_no_change(place: str) -> None:
    """A target that is empty, cannot be spelled or would hang up leaves the call where it is, and says so."""
    decision = Decision(outcome=Outcome.REDIRECT, target=Destination(DestinationKind.USER, place))

    assert encode_decision(decision, PLAIN) == WireAnswer(204, None, "the target has no usable spelling")


def test_unusable_fail_target_is_left_out() -> None:
    """A redirect does not fail for its fallback."""
    decision = Decision(outcome=Outcome.REDIRECT, target=VIP, fail_target=Destination(DestinationKind.USER, " "))

    assert encode(decision) == (200, {"InitialTarget": "vip-id"})


def test_value_that_is_no_json_becomes_no_change() -> None:
    """Rather no instructions than half of them."""
    decision = Decision(outcome=Outcome.REDIRECT, target=VIP, required_agent="\ud800")
    profile = ResponseProfile(fields={"required_agent": FieldSpelling("Agent", Shape.TEXT)})

    assert encode_decision(decision, profile) == WireAnswer(204, None, "the answer cannot be written as JSON")


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"no_change_status": 200}, "never spelled as 200"),
        ({"fields": {"priority": FieldSpelling("InitialTarget", Shape.TEXT)}}, "one wire key"),
        ({"fields": {name: FieldSpelling("A", Shape.TEXT) for name in ("priority", "messages")}}, "one wire key"),
        (
            {"fields": {"priority": FieldSpelling("A", Shape.LIST)}},
            "priority cannot be spelled as list; .* number, text",
        ),
        ({"fields": {"speed": FieldSpelling("A", Shape.LIST)}}, "speed cannot be spelled as list; .* none"),
    ],
)
def test_profile_that_contradicts_itself(members: dict[str, object], problem: str) -> None:
    """A profile by which two things would be one, or nothing, is refused."""
    with pytest.raises(ValueError, match=problem):
        ResponseProfile(**members)  # type: ignore[arg-type]


TEXT = st.text(max_size=5)
DESTINATIONS = st.builds(Destination, st.sampled_from(DestinationKind), TEXT, st.none() | TEXT)
SPELLINGS = st.fixed_dictionaries(
    {},
    optional={
        name: st.builds(FieldSpelling, st.just(name), st.sampled_from(sorted(shapes)), st.just("lang"), st.just("say"))
        for name, shapes in FITTING_SHAPES.items()
    },
)
REDIRECTS = st.builds(
    Decision,
    outcome=st.just(Outcome.REDIRECT),
    target=DESTINATIONS,
    fail_target=st.none() | DESTINATIONS,
    required_agent=st.none() | TEXT,
    preferred_agents=st.lists(TEXT, max_size=2).map(tuple),
    priority=st.none() | st.integers(),
    extra_priority=st.none() | st.integers(),
    messages=st.lists(st.builds(Message, TEXT, TEXT), max_size=2).map(tuple),
)


@given(REDIRECTS, SPELLINGS)
def test_answer_is_whole_or_none(decision: Decision, fields: dict[str, FieldSpelling]) -> None:
    """A 200 carries its target and every field that is set and has a key; anything else carries nothing."""
    status, body = encode(decision, ResponseProfile(fields=fields))

    if status == 200:
        assert isinstance(body, dict)
        assert str(body["InitialTarget"]).strip()
        assert {name for name in fields if getattr(decision, name) not in (None, ())} == body.keys() - {
            "InitialTarget",
            "FailTarget",
        }
    else:
        assert (status, body) == (204, None)


def test_decision_for_the_log() -> None:
    """A decision is written with the words of the ruleset file; what is empty is left out."""
    assert decision_document(FULL) == {
        "outcome": "redirect",
        "rule": "vip",
        "redirect": "vip",
        "target": {"kind": "queue", "id": "vip-id", "name": "vip"},
        "on_fail": "out",
        "fail_target": {"kind": "number", "id": "+1", "name": "out"},
        "required_agent": "a1",
        "preferred_agents": ["a1", "a2"],
        "priority": 0,
        "extra_priority": 10,
        "messages": [{"culture": "en-GB", "text": "Hello."}, {"culture": "fi-FI", "text": "Terve."}],
    }
    assert decision_document(Decision(outcome=Outcome.NO_CHANGE, reason="no rule matched")) == {
        "outcome": "no_change",
        "reason": "no rule matched",
        "no_change": True,
    }
    agent = Destination(DestinationKind.USER, "a1")
    assert decision_document(Decision(outcome=Outcome.REDIRECT, target=agent)) == {
        "outcome": "redirect",
        "redirect_to_agent": "a1",
        "target": {"kind": "user", "id": "a1"},
    }


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (FULL, "to queue VIP service, else number out"),
        (Decision(outcome=Outcome.DISCONNECT), "disconnect"),
        (Decision(outcome=Outcome.NO_CHANGE, reason="no rule matched"), "no change (no rule matched)"),
        (Decision(outcome=Outcome.REDIRECT, target=Destination(DestinationKind.USER, "a1")), "to the agent"),
        (Decision(outcome=Outcome.REDIRECT, target=Destination(DestinationKind.NUMBER, "+1")), "to a number"),
    ],
)
def test_decision_in_words(decision: Decision, words: str) -> None:
    """One line for people, with names from the ruleset and nothing personal."""
    assert describe_decision(decision) == words
