"""Exceptions told without the values in them: type and place always, the message only when it is our own."""

from itertools import chain
from pathlib import PurePath
from traceback import walk_tb
from types import FrameType, TracebackType
from typing import Any

from app.errors import AppError

__all__ = ["describe_exception"]

_MAX_FRAMES = 20
_MAX_CAUSES = 5
_KEPT_PATH_PARTS = 3


def describe_exception(error: BaseException) -> list[dict[str, Any]]:
    """Describe an exception and its causes, outermost first.

    Messages of other libraries may quote what they were given (a number, a row, a URL with a token), so they are left
    out; messages of `AppError` are written to be shown. Source lines and local variables are left out too.
    """
    described: list[dict[str, Any]] = []
    waiting = [error]
    while waiting and len(described) < _MAX_CAUSES:
        current = waiting.pop(0)
        described.append(_describe_one(current))
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
        if (cause := _find_cause(current)) is not None:
            waiting.append(cause)
    return described


def _describe_one(error: BaseException) -> dict[str, Any]:
    described: dict[str, Any] = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
    if isinstance(error, AppError):
        described["code"] = error.code
        described["message"] = error.detail
    described["frames"] = _list_frames(error.__traceback__)
    return described


def _find_cause(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _list_frames(traceback: TracebackType | None) -> list[str]:
    """List the innermost frames as `package/module.py:12 function`, outermost first."""
    frames = [_name_place(frame, line) for frame, line in walk_tb(traceback)]
    return frames[-_MAX_FRAMES:]


def _name_place(frame: FrameType, line: int) -> str:
    parts = PurePath(frame.f_code.co_filename).parts[-_KEPT_PATH_PARTS:]
    return "".join(chain("/".join(parts), f":{line} ", frame.f_code.co_qualname))
