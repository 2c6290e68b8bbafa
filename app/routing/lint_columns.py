"""Comparisons with columns that cannot be meant, as far as the ruleset describes the columns."""

from collections.abc import Iterator, Mapping

from app.errors import Finding
from app.routing.calls import Scalar
from app.routing.columns import ColumnKind, ColumnSpec, find_column, locate_column
from app.routing.registry import suggest
from app.routing.rule import BARE, DATED, TEXTUAL, Leaf, Operator, list_leaves
from app.routing.ruleset import Ruleset

__all__ = ["fault", "find_column_faults", "list_undescribed"]

_MAX_NAMED = 12
_NOT_COMPARED = BARE | {Operator.IN_TABLE}
_CHOICES = (ColumnKind.CHOICE, ColumnKind.CHOICES)
_KINDS: Mapping[ColumnKind, tuple[type | tuple[type, ...], str]] = {
    ColumnKind.TEXT: (str, "a text"),
    ColumnKind.ID: (str, "a record's id"),
    ColumnKind.NUMBER: ((int, float), "a number"),
    ColumnKind.BOOLEAN: (bool, "true or false"),
}


def fault(rule: str | None, code: str, pointer: str, message: str, hint: str, *, severity: str = "error") -> Finding:
    """Make the finding of something that is wrong with a rule, or with a test (`None`)."""
    return Finding(code=code, pointer=pointer, message=message, hint=hint, rule=rule, severity=severity)


def list_undescribed(ruleset: Ruleset) -> tuple[str, ...]:
    """List the columns that rules compare with a value, and whose types nothing tells, as facts."""
    conditions = (*ruleset.define.values(), *(rule.when for rule in ruleset.rules))
    leaves = (leaf for condition in conditions for _, leaf in list_leaves(condition) if leaf.op not in _NOT_COMPARED)
    facts = dict.fromkeys(leaf.fact for leaf in leaves if locate_column(leaf.fact))
    return tuple(fact for fact in facts if find_column(ruleset.columns, fact) is None)


def find_column_faults(leaf: Leaf, pointer: str, rule: str | None, ruleset: Ruleset) -> Iterator[Finding]:
    """Find values that a described column never has, and operators that do not fit it; labels are values already."""
    spec = find_column(ruleset.columns, leaf.fact)
    if spec is None or leaf.op in _NOT_COMPARED or leaf.op in DATED:
        return
    if problem := _find_misfit(leaf, spec):
        message, hint = problem
        yield fault(rule, "wrong-type", f"{pointer}/op", message, hint)
        return
    for value in leaf.value if isinstance(leaf.value, tuple) else (leaf.value,):
        if spec.type in _CHOICES:
            problem = _judge_choice(leaf.fact, spec, value)
            code = "unknown-choice"
        else:
            problem = _judge_value(leaf, spec, value)
            code = "wrong-type"
        if problem:
            message, hint = problem
            yield fault(rule, code, f"{pointer}/value", message, hint)


def _find_misfit(leaf: Leaf, spec: ColumnSpec) -> tuple[str, str] | None:
    if spec.type is ColumnKind.CHOICES and leaf.op is not Operator.CONTAINS:
        return f"{leaf.fact} holds several choices at once", "use `contains`, and `any` for alternatives"
    whole = leaf.op is Operator.CONTAINS and isinstance(leaf.value, int)
    if spec.type is ColumnKind.CHOICE and leaf.op in TEXTUAL:
        return f"{leaf.fact} holds one choice, and `{leaf.op}` compares texts", "use `is`, or `in` for alternatives"
    if spec.type in {ColumnKind.NUMBER, ColumnKind.BOOLEAN} and leaf.op in TEXTUAL:
        return f"{leaf.fact} holds no text, and `{leaf.op}` compares texts", "use another operator"
    if spec.type is ColumnKind.TEXT and whole:
        return f"{leaf.fact} holds a text, and a number is in none", "write the value in quotes"
    return None


def _judge_choice(fact: str, spec: ColumnSpec, value: Scalar) -> tuple[str, str] | None:
    if not isinstance(value, bool) and isinstance(value, int) and str(value) in spec.choices:
        return None
    if isinstance(value, str) and value.strip() in spec.choices:
        value = value.strip()
        return f'{fact} holds numbers, and "{value}" is a text', f"write {value} without quotes ({spec.choices[value]})"
    known = [f"{number} ({label})" for number, label in spec.choices.items()]
    rest = f" and {len(known) - _MAX_NAMED} more" if len(known) > _MAX_NAMED else ""
    hint = suggest(str(value), spec.choices.values()) or f"there are {', '.join(known[:_MAX_NAMED])}{rest}"
    return f"{fact} has no choice {_spell(value)}", hint


def _judge_value(leaf: Leaf, spec: ColumnSpec, value: Scalar) -> tuple[str, str] | None:
    kind, words = _KINDS.get(spec.type, (object, ""))
    if isinstance(value, kind) and (kind is object or isinstance(value, bool) is (kind is bool)):
        return None
    return f"{leaf.fact} holds {words}, and {_spell(value)} is none", _respell(spec, value)


def _respell(spec: ColumnSpec, value: Scalar) -> str:
    if spec.type in {ColumnKind.TEXT, ColumnKind.ID}:
        return f'write "{value}" in quotes'
    if isinstance(value, str) and spec.type is ColumnKind.NUMBER and _is_number(value):
        return f"write {value.strip()} without quotes"
    if spec.type is ColumnKind.BOOLEAN and isinstance(value, str) and value.strip().casefold() in {"true", "false"}:
        return f"write {value.strip().casefold()} without quotes"
    return "write a number" if spec.type is ColumnKind.NUMBER else "write true or false"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _spell(value: Scalar) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
