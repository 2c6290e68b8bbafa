"""A decision as one line of the journal."""

import msgspec

from app.routing.decision_record import DecisionRecord
from app.store.json_text import dump

__all__ = ["read_line", "write_line"]

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(DecisionRecord)


def write_line(record: DecisionRecord) -> bytes:
    """Write a record as JSON with the end of the line; odd characters and numbers are tamed as `json_text.dump` does.

    Raises TypeError or RecursionError for what is no JSON at all.
    """
    try:
        return _ENCODER.encode(record) + b"\n"
    except (UnicodeEncodeError, OverflowError):
        return dump(msgspec.structs.asdict(record)) + b"\n"


def read_line(line: bytes) -> DecisionRecord | None:
    """Read a line back; `None` for one that is no record."""
    try:
        return _DECODER.decode(line)
    except msgspec.DecodeError:
        return None
