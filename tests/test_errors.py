"""Texts of errors as sentences and as parts of a line."""

import pytest

from app.cli.shell import format_fragment
from app.errors import format_message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("there is no draft 'x'", "There is no draft 'x'."),
        ("There is no such alert.", "There is no such alert."),
        ("did you mean caller.vip?", "Did you mean caller.vip?"),
        ("row 3: the client is unknown", "Row 3: the client is unknown."),
        ("caller.vip is no number", "caller.vip is no number."),
        ("'7' is a published revision", "'7' is a published revision."),
        ("/users/me: answered 401", "/users/me: answered 401."),
        ("extra_priority has no wire key", "extra_priority has no wire key."),
        ("SQLite: SQLITE_BUSY", "SQLite: SQLITE_BUSY."),
        ("denied", "Denied."),
        ("", ""),
    ],
)
def test_problem_details_are_sentences(text: str, sentence: str) -> None:
    """A capital at the beginning where no name stands, and a full stop; what is a sentence stays one."""
    assert format_message(text) == sentence
    assert format_message(sentence) == sentence


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("The document has 1 problem.", "the document has 1 problem"),
        ("Enreach knows no user with this id", "Enreach knows no user with this id"),
        ("cannot read the file x: No such file", "cannot read the file x: No such file"),
    ],
)
def test_lines_of_a_terminal_are_fragments(text: str, fragment: str) -> None:
    """Behind the name of the program a text begins small and ends without a full stop; names keep their capital."""
    assert format_fragment(text) == fragment
