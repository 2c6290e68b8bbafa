"""What rules read besides the call, the caller and the clock: switches, tables, states of queues and agents."""

from collections.abc import Callable, Collection, Iterable, Mapping
from operator import methodcaller
from typing import NamedTuple

import msgspec

from app.routing.agents import AgentStates, find_agent_fact, tell_agent
from app.routing.callers import Cause
from app.routing.calls import Scalar
from app.routing.facts import FactValue, Unknown
from app.routing.numbers import read_number
from app.routing.queue_states import QueueState, split_queue_fact, tell_queue
from app.routing.registry import AGENTS, MEMBERS, QUEUES, SWITCHES, TABLES

__all__ = ["DataFacts", "DataTable", "RuleData", "Switch", "make_key", "make_table", "read_dialled", "split_column"]

_NO_SWITCH = Unknown(Cause.NOT_CONFIGURED, "no switch has this name")
_NO_TABLE = Unknown(Cause.NOT_CONFIGURED, "no table has this name")
_NO_COLUMN = Unknown(Cause.NOT_CONFIGURED, "the table has no such column")
_ORDER = methodcaller("startswith", MEMBERS)
_NO_KEY = Unknown(Cause.NOT_CONFIGURED, "the ruleset does not say by which fact a row of the table is found")


class Switch(msgspec.Struct, frozen=True):
    """A state that administrators set, outside of the ruleset."""

    on: bool
    off_at: float | None = None
    """When it goes off by itself, in seconds since the epoch."""

    def is_on(self, at: float) -> bool:
        """Tell whether it is on at a moment, in seconds since the epoch."""
        return self.on and (self.off_at is None or at < self.off_at)


class DataTable(msgspec.Struct, frozen=True):
    """A table that administrators put, outside of the ruleset: a look-up reads a dictionary."""

    columns: Mapping[str, int]
    """Place in a row by column; the key has the first place, under its own name."""
    rows: Mapping[str, tuple[Scalar, ...]]
    """By key, as `make_key` makes it, in the order of the keys."""
    region: str | None = None
    """Where keys are phone numbers: the region (ISO 3166-1) that completes a fact without a country code."""

    def find(self, value: FactValue) -> tuple[Scalar, ...] | None:
        """Return the row whose key a fact's value is."""
        key = make_key(value)
        if key is None or (row := self.rows.get(key)) is not None:
            return None if key is None else row
        number = None if self.region is None or key.startswith("+") else read_number(key, self.region).e164
        return None if number is None else self.rows.get(number)


class RuleData(msgspec.Struct, frozen=True):
    """The switches and tables of one moment; never changed, only replaced."""

    switches: Mapping[str, Switch] = {}
    tables: Mapping[str, DataTable] = {}
    queues: Mapping[str, QueueState] = {}
    """By the queue's id in Enreach, in lower case."""
    agents: AgentStates | None = None
    """`None` while the availability of agents is not read."""


def make_key(value: object) -> str | None:
    """Return a value as keys of tables are compared, without regard to case; `None` for what is no key."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip().casefold() or None


def make_table(rows: Mapping[str, Mapping[str, Scalar]], columns: Iterable[str] = ()) -> DataTable:
    """Make a table from rows by key, numbers in E.164; `columns` are those it has besides those that rows name."""
    names = list(dict.fromkeys([*columns, *(name for row in rows.values() for name in row)]))
    return DataTable(
        columns={name: place for place, name in enumerate(names, 1)},
        rows={make_key(key) or "": (key, *(row.get(name) for name in names)) for key, row in rows.items()},
    )


def read_dialled(value: object) -> str | None:
    """Return the E.164 of a number that a table holds as a destination: one from `+` and the country code on."""
    return read_number(value, "FI").e164 if isinstance(value, str) and value.strip().startswith("+") else None


def split_column(fact: str) -> tuple[str, str]:
    """Return table and column of a fact such as `table.brands.queue`."""
    table, _, column = fact.removeprefix(TABLES).partition(".")
    return table, column


class _Question(NamedTuple):
    """What is asked of a table."""

    fact: str
    table: str
    column: str | None
    """`None` when it is asked whether there is a row."""
    key: str | None
    """The fact by which the row is found; `None` when the ruleset does not say."""


class DataFacts:
    """Tells the facts that rules take from switches, tables and the states of queues and agents."""

    def __init__(
        self,
        facts: Iterable[str],
        keys: Mapping[str, str],
        queues: Mapping[str, str],
        read_agent: Callable[[Mapping[str, FactValue], str], str | None],
    ) -> None:
        """`facts` are those that the rules read, of any kind; `keys` the facts by which rows are found, by table.

        `queues` are the ids of queues in Enreach by the name of their destination; `read_agent` returns the Enreach
        user id that a fact holds.
        """
        self._read_agent = read_agent
        facts = tuple(facts)
        places = ((fact, *split_queue_fact(fact)) for fact in facts if fact.startswith(QUEUES))
        self._queues = tuple((fact, queues.get(name, "").casefold(), member) for fact, name, member in places)
        self._switches = tuple((fact, fact.removeprefix(SWITCHES)) for fact in facts if fact.startswith(SWITCHES))
        # Columns come first: whether there is a row in one table may be asked of a column of another.
        asked = sorted((fact for fact in facts if fact.startswith((TABLES, MEMBERS))), key=_ORDER)
        self._questions = tuple(_ask(fact, keys) for fact in asked)
        self._agents = tuple((fact, find_agent_fact(fact)) for fact in facts if fact.startswith(AGENTS))
        others = (*self._switches, *self._queues, *self._agents)
        self.names = frozenset((*(each[0] for each in others), *(question.fact for question in self._questions)))
        """The facts it tells."""
        self.switches = frozenset(dict(self._switches).values())
        """The switches that are read."""
        self.tables: Mapping[str, frozenset[str]] = {
            table: frozenset(each.column for each in self._questions if each.table == table and each.column)
            for table in {question.table for question in self._questions}
        }
        """The columns that are read, by table."""

    def list_found_by(self, keys: Collection[str]) -> frozenset[str]:
        """List the facts whose rows are found by one of these facts, and those about agents whom they name."""
        found = {question.fact for question in self._questions if question.key in keys}
        return frozenset({*found, *(fact for fact, holder in self._agents if holder in found)})

    def tell(self, facts: Mapping[str, FactValue], data: RuleData, at: float) -> dict[str, FactValue]:
        """Tell them for the other facts of a call, and a moment in seconds since the epoch."""
        found: dict[str, FactValue] = {}
        for fact, name in self._switches:
            switch = data.switches.get(name)
            found[fact] = _NO_SWITCH if switch is None else switch.is_on(at)
        for fact, queue, member in self._queues:
            found[fact] = tell_queue(data.queues.get(queue), member, at)
        for question in self._questions:
            found[question.fact] = _answer(question, found, facts, data)
        for fact, holder in self._agents:
            value = found.get(holder, facts.get(holder))
            told = {holder: value}
            found[fact] = (
                value if isinstance(value, Unknown) else tell_agent(data.agents, self._read_agent(told, holder), at)
            )
        return found


def _ask(fact: str, keys: Mapping[str, str]) -> _Question:
    if fact.startswith(MEMBERS):
        table, _, key = fact.removeprefix(MEMBERS).partition(".")
        return _Question(fact, table, None, key)
    table, column = split_column(fact)
    return _Question(fact, table, column, keys.get(table))


def _answer(
    question: _Question, found: Mapping[str, FactValue], facts: Mapping[str, FactValue], data: RuleData
) -> FactValue:
    if question.key is None:
        return _NO_KEY
    table, value = data.tables.get(question.table), facts.get(question.key, found.get(question.key))
    if table is None:
        return _NO_TABLE
    if isinstance(value, Unknown):
        return value
    several = value if isinstance(value, tuple) else (value,)
    row = next((row for each in several if (row := table.find(each)) is not None), None)
    if question.column is None:
        return row is not None
    place = table.columns.get(question.column)
    if place is None:
        return _NO_COLUMN
    return None if row is None else row[place]
