"""Switches and tables that rules and tests name: what does not exist, and what cannot be meant."""

from collections.abc import Iterator, Mapping

from app.errors import Finding
from app.routing.agents import find_agent_fact
from app.routing.calls import Scalar
from app.routing.decisions import DestinationKind
from app.routing.documents import join_pointer
from app.routing.lint_agents import find_agent_faults
from app.routing.lint_columns import fault
from app.routing.lint_conditions import KnownColumns, find_unknown_member, list_values
from app.routing.queue_states import QUEUE_MEMBERS, split_queue_fact
from app.routing.registry import AGENTS, QUEUES, SWITCHES, TABLES, FactType, find_fact, suggest
from app.routing.rule import TEXTUAL, Leaf, Operator, Rule, list_leaves
from app.routing.rule_data import DataTable, RuleData, make_key, read_dialled, split_column
from app.routing.ruleset import Ruleset

__all__ = ["find_data_faults", "find_lost_places", "list_destination_columns"]

_NUMBERS = frozenset({"call.caller", "call.called"})
_WORDS = {str: "texts", bool: "true or false", int: "numbers", float: "numbers"}
_MAX_SHOWN = 3


def find_data_faults(ruleset: Ruleset, data: RuleData | None, known_columns: KnownColumns | None) -> Iterator[Finding]:
    """Find switches, tables and columns that do not exist, keys that find nothing, and what a test assumes in vain.

    Without `data` nothing is said about what exists and what tables hold.
    """
    tables = None if data is None else data.tables
    for pointer, rule, leaf in _list_leaves(ruleset):
        if leaf.fact.startswith(SWITCHES) and data is not None:
            yield from _find_unknown_switch(leaf.fact.removeprefix(SWITCHES), f"{pointer}/fact", rule, data)
        if leaf.fact.startswith(QUEUES):
            yield from _find_queue_faults(leaf, pointer, rule, ruleset)
        if leaf.fact.startswith(AGENTS):
            yield from find_agent_faults(find_agent_fact(leaf.fact), f"{pointer}/fact", rule, ruleset, known_columns)
        if leaf.fact.startswith(TABLES):
            yield from _find_column_faults(leaf.fact, f"{pointer}/fact", rule, ruleset, tables)
            yield from _find_other_types(leaf, pointer, rule, tables)
        if leaf.op is Operator.IN_TABLE:
            table = str(leaf.value)
            yield from _find_unknown_table(table, f"{pointer}/value", rule, tables)
            yield from _find_wrong_key(leaf.fact, f"{pointer}/op", rule, (tables or {}).get(table))
    for index, each in enumerate(ruleset.rules):
        yield from _find_action_faults(each, join_pointer("rules", index, "then"), ruleset, tables)
    for name, use in ruleset.tables.items():
        pointer = join_pointer("tables", name, "key")
        yield from find_unknown_member(use.key, pointer, None, ruleset, known_columns)
        yield from _find_wrong_key(use.key, pointer, None, (tables or {}).get(name))
    yield from _find_unread(ruleset)


def find_lost_places(table: DataTable, column: str, ruleset: Ruleset) -> Iterator[tuple[str, Scalar]]:
    """Find the values of a column that are neither a destination of the ruleset nor a number, with their keys."""
    place, known = table.columns[column], {make_key(name) for name in ruleset.destinations}
    for key, row in table.rows.items():
        value = row[place]
        if value is not None and make_key(value) not in known and read_dialled(value) is None:
            yield key, value


def list_destination_columns(ruleset: Ruleset) -> frozenset[tuple[str, str]]:
    """List table and column of everything that rules redirect to."""
    columns = (rule.then.redirect_to_column for rule in ruleset.rules)
    return frozenset(split_column(column) for column in columns if column is not None)


def _list_leaves(ruleset: Ruleset) -> Iterator[tuple[str, str | None, Leaf]]:
    """List every comparison with its place and its rule (`None` in `define`)."""
    for name, condition in ruleset.define.items():
        for pointer, leaf in list_leaves(condition, join_pointer("define", name)):
            yield pointer, None, leaf
    for index, rule in enumerate(ruleset.rules):
        for pointer, leaf in list_leaves(rule.when, join_pointer("rules", index, "when")):
            yield pointer, rule.id, leaf


def _find_queue_faults(leaf: Leaf, pointer: str, rule: str | None, ruleset: Ruleset) -> Iterator[Finding]:
    """Find queues that are none of the destinations, what no queue tells, and values of another type."""
    name, member = split_queue_fact(leaf.fact)
    queues = [each for each, spec in ruleset.destinations.items() if spec.kind is DestinationKind.QUEUE]
    if name not in queues:
        message, hint = f'no destination that is a queue is called "{name}"', suggest(name, queues)
        yield fault(rule, "unknown-queue", f"{pointer}/fact", message, hint or "add it to `destinations`")
    if member not in QUEUE_MEMBERS:
        hint = suggest(member, QUEUE_MEMBERS) or f"it has {', '.join(QUEUE_MEMBERS)}"
        yield fault(rule, "unknown-queue-fact", f"{pointer}/fact", f'a queue has no "{member}"', hint)
        return
    kind = QUEUE_MEMBERS[member]
    for value in list_values(leaf):
        if type(value) is not kind and not (kind is int and type(value) is float):
            message = f"{leaf.fact} is compared with {_WORDS[kind]}, not with {value!r}"
            yield fault(rule, "wrong-type", f"{pointer}/value", message, "leave quotes out")


def _find_unknown_switch(name: str, pointer: str, rule: str | None, data: RuleData) -> Iterator[Finding]:
    if name not in data.switches:
        hint = suggest(name, data.switches) or f"set it with PUT /admin/switches/{name}, if only to off"
        yield fault(rule, "unknown-switch", pointer, f'no switch is called "{name}"', hint)


def _find_unknown_table(
    name: str, pointer: str, rule: str | None, tables: Mapping[str, DataTable] | None
) -> Iterator[Finding]:
    if tables is not None and name not in tables:
        hint = suggest(name, tables) or f"put it at /admin/tables/{name} first"
        yield fault(rule, "unknown-table", pointer, f'no table is called "{name}"', hint)


def _find_column_faults(
    fact: str, pointer: str, rule: str | None, ruleset: Ruleset, tables: Mapping[str, DataTable] | None
) -> Iterator[Finding]:
    name, column = split_column(fact)
    if name not in ruleset.tables:
        message = f'nothing says by which fact a row of the table "{name}" is found'
        hint = f'say it in the ruleset: "tables": {{"{name}": {{"key": "call.called"}}}}'
        yield fault(rule, "table-without-key", pointer, message, hint)
    yield from _find_unknown_table(name, pointer, rule, tables)
    known = (tables or {}).get(name)
    if known is not None and column not in known.columns:
        hint = suggest(column, known.columns) or f"it has {', '.join(known.columns) or 'none but its key'}"
        yield fault(rule, "unknown-column", pointer, f'table "{name}" has no column "{column}"', hint)


def _find_other_types(
    leaf: Leaf, pointer: str, rule: str | None, tables: Mapping[str, DataTable] | None
) -> Iterator[Finding]:
    """Find values of a type that the column does not hold."""
    name, column = split_column(leaf.fact)
    table = (tables or {}).get(name)
    if table is None or column not in table.columns or leaf.op in TEXTUAL:
        return
    place = table.columns[column]
    held = {_WORDS[type(row[place])] for row in table.rows.values() if row[place] is not None}
    for value in list_values(leaf):
        if value is not None and held and _WORDS[type(value)] not in held:
            message = f"{leaf.fact} holds {' and '.join(sorted(held))}, and {value!r} is none of them"
            hint = "what comes from CSV is text: write the value in quotes" if held == {"texts"} else ""
            yield fault(rule, "wrong-type", f"{pointer}/value", message, hint)


def _find_wrong_key(fact: str, pointer: str, rule: str | None, table: DataTable | None) -> Iterator[Finding]:
    """Find facts that are no key of any table, or of no table of numbers."""
    spec = find_fact(fact)
    if spec is None:
        return
    if spec.type in {FactType.BOOLEAN, FactType.TIME}:
        yield fault(rule, "wrong-type", pointer, f"{fact} is no key of a table", "look up a text, or a number")
    elif table is not None and table.region is not None and spec.type is not FactType.ANY and fact not in _NUMBERS:
        message, hint = f"{fact} holds no phone number, and these are the keys of the table", "name the fact that does"
        yield fault(rule, "wrong-type", pointer, message, hint)


def _find_action_faults(
    rule: Rule, pointer: str, ruleset: Ruleset, tables: Mapping[str, DataTable] | None
) -> Iterator[Finding]:
    then = rule.then
    for fact in then.agent_facts:
        if fact.startswith(TABLES):
            yield from _find_column_faults(fact, pointer, rule.id, ruleset, tables)
    if then.redirect_to_column is None:
        return
    pointer = f"{pointer}/redirect_to_column"
    yield from _find_column_faults(then.redirect_to_column, pointer, rule.id, ruleset, tables)
    name, column = split_column(then.redirect_to_column)
    table = (tables or {}).get(name)
    if table is None or column not in table.columns:
        return
    lost = dict.fromkeys(str(value) for _, value in find_lost_places(table, column, ruleset))
    if lost:
        shown = ", ".join(f'"{value}"' for value in [*lost][:_MAX_SHOWN])
        more = f" and {len(lost) - _MAX_SHOWN} more" if len(lost) > _MAX_SHOWN else ""
        message = f'column "{column}" of table "{name}" holds {shown}{more}: neither a destination nor a number'
        hint = "add them to `destinations`, or correct the table; numbers are written like +358401234567"
        yield fault(rule.id, "unknown-destination", pointer, message, hint)


def _find_unread(ruleset: Ruleset) -> Iterator[Finding]:
    """Find tables that are declared, and switches and tables that a test assumes, and no rule reads."""
    leaves = [leaf for _, _, leaf in _list_leaves(ruleset)]
    facts = {leaf.fact for leaf in leaves} | {fact for rule in ruleset.rules for fact in rule.then.agent_facts}
    facts |= {rule.then.redirect_to_column or "" for rule in ruleset.rules}
    switches = {fact.removeprefix(SWITCHES) for fact in facts if fact.startswith(SWITCHES)}
    columns = {split_column(fact)[0] for fact in facts if fact.startswith(TABLES)}
    tables = columns | {str(leaf.value) for leaf in leaves if leaf.op is Operator.IN_TABLE}
    for name in ruleset.tables:
        if name not in columns:
            message = f'no rule reads a column of the table "{name}"'
            yield _warn("unused-table", join_pointer("tables", name), message, suggest(name, columns))
    for index, test in enumerate(ruleset.tests):
        for name in test.switches:
            if name not in switches:
                pointer = join_pointer("tests", index, "switches", name)
                yield _warn("unread-switch", pointer, f'no rule reads the switch "{name}"', suggest(name, switches))
        for name in test.tables:
            if name not in tables:
                pointer = join_pointer("tests", index, "tables", name)
                yield _warn("unread-table", pointer, f'no rule reads the table "{name}"', suggest(name, tables))


def _warn(code: str, pointer: str, message: str, suggestion: str) -> Finding:
    return fault(None, code, pointer, message, suggestion or "leave it out", severity="warning")
