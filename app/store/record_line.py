"""A decision as one line of the journal."""

import msgspec

from app.routing.decisions import DecisionRecord
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


def read_line(line: bytes, spent: float | None = None) -> DecisionRecord | None:
    """Read a line back, with the seconds spent on writing it, if they are known, as one more stage of its waterfall.

    `None` for a line that is no record.
    """
    try:
        record = _DECODER.decode(line)
    except msgspec.DecodeError:
        return None
    return record if spent is None or "total" not in record.waterfall else _add_stage(record, round(spent * 1000, 3))


def _add_stage(record: DecisionRecord, milliseconds: float) -> DecisionRecord:
    stages = dict(record.waterfall)
    total = stages.pop("total")
    waterfall = {**stages, "record": milliseconds, "total": round(total + milliseconds, 3)}
    return msgspec.structs.replace(record, waterfall=waterfall)
