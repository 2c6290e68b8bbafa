"""Reads the text of `$filter` with odata-query, which knows more of OData than Dataverse does."""

from collections.abc import Iterator
from typing import Any, cast

from odata_query import ast
from odata_query.exceptions import FunctionCallException, ODataException
from odata_query.grammar import ODataLexer, ODataParser

from app.emulators.dataverse.errors import BAD_URL, WireError, bad_query, not_emulated

_WORDS = frozenset({"AND", "OR", "NOT", "EQ", "NE", "LT", "LE", "GT", "GE", "IN"})


def parse_filter(text: str) -> ast._Node:
    """Return the tree of an expression. Raises WireError (400) when it is malformed."""
    if "Microsoft.Dynamics.CRM." in text or "@" in _without_strings(text):
        raise not_emulated("A query function or parameter alias in $filter")
    try:
        tree = ODataParser().parse(_tokens(text.strip()))
    except FunctionCallException as exc:
        raise WireError(400, BAD_URL, f"An unknown function was found, or one with wrong arguments. {exc}") from exc
    except ODataException as exc:
        raise bad_query("There is a syntax error in the $filter expression.") from exc
    if tree is None:
        raise bad_query("There is a syntax error in the $filter expression.")
    return cast(ast._Node, tree)  # noqa: SLF001 - the library names its nodes so


def _tokens(text: str) -> Iterator[Any]:
    """Words are lower-case in OData 4.0, which the lexer does not insist on."""
    for token in ODataLexer().tokenize(text):
        word = next(iter(text[token.index : token.index + 16].split()), "")
        if token.type in _WORDS and not word.islower():
            raise bad_query(f"Syntax error at position {token.index} in '$filter'.")
        yield token


def _without_strings(text: str) -> str:
    return "".join(text.split("'")[::2])
