"""How a JSON document from outside is read: size first, then closed frozen models, every problem as a finding."""

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from app.errors import MAX_FINDINGS, Finding, InvalidInputError
from app.routing.registry import suggest
from app.validation_messages import explain_problem

__all__ = ["Part", "join_pointer", "read_document", "refuse"]

MAX_DEPTH = 100
MAX_VALUES = 500_000
MAX_TEXT = 10_000

Model = TypeVar("Model", bound=BaseModel)


class Part(BaseModel):
    """A part of a document: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def refuse(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """Make the error a validator raises, so that it becomes a finding with this code, message and hint."""
    # The texts go in as parameters: a brace in them must not be taken for a place to fill.
    return PydanticCustomError("finding", "{message}", {"code": code, "message": message, "hint": hint})


def read_document(model: type[Model], document: object, keys: Collection[str]) -> Model:
    """Validate a parsed JSON document of any shape; raises InvalidInputError with the first 200 problems.

    Values have the types of JSON: `0` is not false, and `"7"` no number.
    `keys` are the words the document may use as keys, for suggestions. Documents nested deeper than 100 levels, with
    more than 500,000 values or a text longer than 10,000 characters are refused before anything else looks at them.
    """
    if problem := _measure(document):
        raise InvalidInputError("the document is not usable", findings=[problem])
    try:
        # As JSON, since only there strict mode takes a text for a time, and a list for a tuple.
        return model.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        # Looking for similar words takes longer than everything else.
        findings = [_describe(problem, document, keys) for problem in problems[:MAX_FINDINGS]]
        raise InvalidInputError(_count(len(problems)), findings=findings) from error


def join_pointer(*parts: object) -> str:
    """Join the steps into a document as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _count(problems: int) -> str:
    return f"The document has {problems:,} problem{'s' if problems > 1 else ''}."


def _measure(document: object) -> Finding | None:
    """Walk the document without recursion, level by level, and stop at the first thing that is too much."""
    level: list[tuple[str, object]] = [("", document)]
    seen = 0
    for _ in range(MAX_DEPTH):
        seen += len(level)
        if seen > MAX_VALUES:
            return Finding(code="too-large", pointer="", message=f"more than {MAX_VALUES:,} values")
        for pointer, value in level:
            if problem := _judge_value(value):
                return Finding(code="not-json", pointer=pointer, message=problem)
        level = [child for pointer, value in level for child in _open(pointer, value)]
        if not level:
            return None
    return Finding(code="too-deep", pointer=level[0][0][:200], message=f"nested deeper than {MAX_DEPTH} levels")


def _open(pointer: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        return ((pointer + join_pointer(key), child) for key, child in value.items())
    if isinstance(value, list | tuple):
        return ((f"{pointer}/{index}", child) for index, child in enumerate(value))
    return iter(())


def _judge_value(value: object) -> str:
    match value:
        case str():
            return _judge_text(value)
        case float() if not math.isfinite(value):
            return "is not a finite number"
        case None | bool() | int() | float() | list() | tuple():
            return ""
        case Mapping():
            return next(("has a key that is not a text" for key in value if not isinstance(key, str)), "") or next(
                (f"has a key that {problem}" for key in value if (problem := _judge_text(key))), ""
            )
        case _:
            return "is no JSON value"


def _judge_text(text: str) -> str:
    if len(text) > MAX_TEXT:
        return f"is longer than {MAX_TEXT:,} characters"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)"
    return ""


def _describe(problem: ErrorDetails, document: object, keys: Collection[str]) -> Finding:
    context = problem.get("ctx", {})
    pointer, missing = _locate(document, problem["loc"])
    message = explain_problem(dict(problem))
    code, hint = problem["type"].replace("_", "-"), ""
    if problem["type"] == "finding":
        code, hint = str(context["code"]), str(context["hint"])
    elif problem["type"] == "extra_forbidden":
        word = str(problem["loc"][-1])
        others = (key for key in keys if key != word)
        code, message, hint = "unknown-key", f'"{word[:100]}" is not a key here', suggest(word, others)
    elif problem["type"] == "enum":
        hint = suggest(str(problem["input"]), re.findall("'([^']+)'", str(context["expected"])))
    if problem["type"] == "missing":
        message = f'"{missing}" {message}'
    return Finding(code=code, pointer=pointer, message=message, hint=hint)


def _step_into(here: object, step: str | int) -> tuple[object] | None:
    if isinstance(here, Mapping):
        return (here[step],) if step in here else None
    if isinstance(here, list | tuple) and isinstance(step, int):
        return (here[step],)
    return None


def _locate(document: object, place: Sequence[str | int]) -> tuple[str, str]:
    """Turn a validator's place into a pointer; steps that are not in the document name models or a missing key."""
    pointer, here, missing = "", document, ""
    for step in place:
        missing = ""
        child = _step_into(here, step)
        if child is None:
            missing = "" if str(step).startswith("@") else str(step)
        else:
            here = child[0]
            pointer += join_pointer(step)
    return pointer, missing
