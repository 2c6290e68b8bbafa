"""Made-up calls, decided as real ones would be."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from app.calls.recent_calls import RecentCalls
from app.calls.simulation import Simulation
from app.directory.typed import TypedCallers
from app.errors import InvalidInputError
from app.routing.callers import Caller, CallerStatus, Cause, Selection
from app.routing.compiled import CompiledRuleset
from app.routing.rule_data import RuleData
from app.routing.stored_tests import CallerStub
from app.web.limits import HeavyWork
from tests.routing.examples import NOW, make_document, make_rules
from tests.support.live_settings import FixedSettings

VIP_RULE = {"when": {"fact": "caller.vip", "op": "is", "value": True}}


class NoCallsBefore:
    """A decision log without calls."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A caller from afar."""

    caller: Caller
    source: str = "live"

    @property
    def cause(self) -> Cause | None:
        """Tell why nothing better was known."""
        return self.caller.cause


@dataclass(slots=True)
class Asked:
    """A directory that knows a VIP, and notes what it is asked."""

    questions: list[tuple[str, float]] = field(default_factory=list)
    selection: Selection | None = None

    async def find_for(self, selection: Selection, e164: str, *, until: float) -> Seen:
        """Answer a VIP."""
        self.selection = selection
        self.questions.append((e164, until))
        return Seen(Caller(status=CallerStatus.IDENTIFIED, vip=True, as_of=NOW))


@dataclass(frozen=True, slots=True)
class FixedRules:
    """One ruleset that is always live."""

    rules: CompiledRuleset

    def current(self) -> CompiledRuleset:
        """Return it."""
        return self.rules


@dataclass
class Audit:
    """Keeps what was added."""

    entries: list[dict[str, object]] = field(default_factory=list)

    async def add(self, **entry: object) -> None:
        """Keep it."""
        self.entries.append(entry)


@dataclass(frozen=True)
class Anna:
    """May see everything."""

    name: str = "anna"


async def find_nobody(*_: object, **__: object) -> Any:
    """Stand in for the look-up of what was typed, which these calls do not need."""
    raise AssertionError("nobody typed anything")


async def ask(directory: Asked, call: dict[str, object], **members: Any) -> dict[str, Any]:
    """Ask about a call, at 10 of the monotonic clock."""
    simulation = Simulation(
        directory=directory,
        live_ruleset=FixedRules(make_rules(VIP_RULE)),
        read_data=RuleData,
        live_settings=FixedSettings(),
        audit=Audit(),
        heavy_work=HeavyWork(),
        recent_calls=RecentCalls(reader=NoCallsBefore(), clock=lambda: NOW),
        typed_callers=TypedCallers(look_up=find_nobody, monotonic=lambda: 10.0, on_look_up=lambda *_: None),
        clock=lambda: NOW,
        monotonic=lambda: 10.0,
    )
    usual: dict[str, Any] = {"caller": None, "at": None, "ruleset": None, "reveal_to": Anna()}
    return await simulation.simulate(call, **(usual | members))


async def test_look_up_may_take_its_time() -> None:
    """Nobody waits on the phone, so the look-up gets almost what a queue would wait."""
    directory = Asked()

    result = await ask(directory, {"anum": "0501234567"})

    assert directory.questions == [("+358501234567", 14.5)]
    assert (result["source"], result["answer"]) == ("live", {"status": 200, "body": {"InitialTarget": "vip-id"}})


@pytest.mark.parametrize(
    ("anum", "status"), [(None, "withheld"), ("anonymous", "withheld"), ("12", "unknown"), ([], "unknown")]
)
async def test_nobody_is_asked_about_no_number(anum: object, status: str) -> None:
    """Withheld and internal numbers are no question to the CRM."""
    directory = Asked()

    result = await ask(directory, {"anum": anum})

    assert (result["caller"]["status"], result["source"], directory.questions) == (status, "none", [])


async def test_given_caller_and_moment_are_believed() -> None:
    """The age of a given caller counts from the given moment."""
    directory = Asked()
    at = datetime(2030, 1, 1, tzinfo=UTC)

    result = await ask(directory, {"anum": "0501234567"}, caller=CallerStub(vip=True, age_seconds=30), at=at)

    assert (result["facts"]["caller.age_seconds"], result["source"], directory.questions) == (30.0, "given", [])


async def test_draft_decides_instead_of_the_live_rules() -> None:
    """With a ruleset in the question the published one has no say."""
    draft = make_document({"then": {"disconnect": True}})

    result = await ask(Asked(), {"anum": "0501234567"}, ruleset=draft)

    assert (result["answer"]["body"], result["trace"]["revision"]) == ({"InitialTarget": "DISCONNECT:"}, None)


async def test_what_a_draft_reads_is_asked_for() -> None:
    """The look-up brings along what the rules of the question read, not only what the published ones do."""
    directory = Asked()
    draft = make_document({"when": {"fact": "caller.open_cases", "op": "gt", "value": 0}})

    await ask(directory, {"anum": "0501234567"}, ruleset=draft)

    assert directory.selection == Selection(open_cases=True)


@pytest.mark.parametrize(
    ("call", "ruleset"),
    [
        ({"bnum": "1"}, None),
        ({"anum": "1"}, {"rules": 7}),
        ({"anum": "1"}, {"rules": [{"id": "a", "then": {"redirect": "nowhere"}}]}),
    ],
)
async def test_unusable_questions_are_refused(call: dict[str, object], ruleset: dict[str, object] | None) -> None:
    """A call without a caller and a ruleset that cannot decide are refused."""
    with pytest.raises(InvalidInputError):
        await ask(Asked(), call, ruleset=ruleset)
