"""The place of a request in somebody's trace (W3C Trace Context, level 1)."""

import re
from collections.abc import Sequence

import msgspec

__all__ = ["TraceContext", "continue_trace"]

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_NO_SPAN = b"0" * 16
_PADDING = b"000"
"""What a phone number (E.164, at most 13 digits in use) takes to fill a span's name."""


class TraceContext(msgspec.Struct, frozen=True):
    """The trace a request belongs to and the span that is our part of it."""

    trace_id: str
    """32 lower-case hexadecimal digits, never all zero."""
    span_id: str
    """16 lower-case hexadecimal digits, never all zero; new for every request."""
    sampled: bool
    parent_id: str | None = None
    """The caller's span, which ours is a child of; `None` when the trace begins here."""

    @property
    def traceparent(self) -> str:
        """The header that names our span, to return to the caller or to send onwards."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def continue_trace(traceparents: Sequence[bytes], own_id: str) -> TraceContext:
    """Join the caller's trace as a child span; absent, doubled or invalid, start the trace `own_id` instead.

    A name without any letter is taken as invalid too: it may be a phone number, which would be logged, exported and
    returned, and by chance it is one in millions. `own_id` is 32 lower-case hexadecimal digits, new for every request;
    its second half, random and never all zero, names the span.
    """
    span_id = own_id[16:]
    if len(traceparents) == 1 and (found := _TRACEPARENT.fullmatch(traceparents[0].strip())):
        version, trace_id, parent_id, flags, rest = found.groups()
        valid_version = version != b"ff" and not (version == b"00" and rest is not None)
        if valid_version and parent_id != _NO_SPAN and not _hides_number(trace_id, parent_id):
            return TraceContext(trace_id.decode(), span_id, bool(int(flags, 16) & 1), parent_id.decode())
    return TraceContext(own_id, span_id, sampled=False)


def _hides_number(trace_id: bytes, parent_id: bytes) -> bool:
    return trace_id.isdigit() or (parent_id.isdigit() and parent_id.startswith(_PADDING))
