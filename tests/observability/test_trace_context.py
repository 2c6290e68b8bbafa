"""The place of a request in somebody's trace."""

import re

import pytest

from app.observability.requests import TraceContext, continue_trace

OURS = "f" * 32
THEIRS = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        pytest.param(f"00-{THEIRS}-{PARENT}-01", True, id="sampled"),
        pytest.param(f" 00-{THEIRS}-{PARENT}-00 ", False, id="not-sampled"),
        pytest.param(f"00-{THEIRS}-{PARENT}-ff", True, id="unknown-flags"),
        pytest.param(f"01-{THEIRS}-{PARENT}-01-later", True, id="later-version"),
    ],
)
def test_a_valid_header_is_continued_as_a_child(header: str, sampled: bool) -> None:  # noqa: FBT001 - a parameter
    """The trace and its sampling are the caller's, the span is new."""
    trace = continue_trace([header.encode()], OURS)

    assert trace == TraceContext(THEIRS, trace.span_id, sampled, PARENT)
    assert trace.span_id != PARENT
    assert re.fullmatch(f"00-{THEIRS}-[0-9a-f]{{16}}-0[01]", trace.traceparent)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="absent"),
        pytest.param([f"00-{THEIRS}-{PARENT}-01".encode()] * 2, id="doubled"),
        pytest.param([f"ff-{THEIRS}-{PARENT}-01".encode()], id="forbidden-version"),
        pytest.param([f"00-{'0' * 32}-{PARENT}-01".encode()], id="zero-trace"),
        pytest.param([f"00-{THEIRS}-{'0' * 16}-01".encode()], id="zero-span"),
        pytest.param([f"00-{THEIRS.upper()}-{PARENT}-01".encode()], id="upper-case"),
        pytest.param([f"00-{THEIRS}-{PARENT}-01-more".encode()], id="more-in-version-0"),
        pytest.param([f"00-{'358501234567':0>32}-{PARENT}-01".encode()], id="number-as-trace"),
        pytest.param([f"00-{'358501234567':0<32}-{PARENT}-01".encode()], id="number-first-in-trace"),
        pytest.param([f"00-{THEIRS}-{'358501234567':0>16}-01".encode()], id="number-as-span"),
        pytest.param([b"\xff\xfe"], id="not-text"),
        pytest.param([b""], id="empty"),
    ],
)
def test_an_invalid_header_starts_a_new_trace(headers: list[bytes]) -> None:
    """What the standard calls invalid is as good as nothing, and so is a phone number filled up to length."""
    trace = continue_trace(headers, OURS)

    assert trace == TraceContext(OURS, trace.span_id, sampled=False)
