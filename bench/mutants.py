"""Changes the code in one small way at a time, and lists the changes that no test notices.

The same seed chooses the same changes in the same code. This process imports the service once; for each change it
forks a child, puts the changed function in the place of the old one and runs the tests that go through it, those of its
own room first. No file is touched. What survives needs a test, or means the same as before: `equivalent.toml` says why.
"""

import ast
import gc
import random
import time
import tomllib
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import NamedTuple

from bench.output import write
from bench.reach import Reached, find_reach, prepare, run_forked

__all__ = ["main"]

_FILES = ("calls/*.py", "routing/*.py", "auth/*.py", "directory/*.py", "users/*.py", "rulesets/publish*.py")
_FRONT = ("auth", "calls", "configurator", "operations", "rulesets", "users", "web")
"""Folders of tests that run through other rooms, too."""
_EQUIVALENT = Path(__file__).with_name("equivalent.toml")
_TEST_SECONDS = 120.0
"""Of tests for one change, as long as they took when their ways were found."""
_TIMEOUT_SECONDS = 240.0
"""A change that makes the tests hang is noticed."""
_SWAPS: Mapping[type[ast.AST], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}


class Change(NamedTuple):
    """One small change of a function."""

    file: str
    line: int
    function: str
    """Its qualified name."""
    start: int
    end: int
    """Bytes of the file, from and to."""
    before: str
    after: str

    @property
    def room(self) -> str:
        """The folder below `app`."""
        return self.file.split("/")[1]

    def describe(self) -> str:
        """Write it on one line."""
        return f"{self.file}:{self.line} {self.function}: {_shorten(self.before)} -> {_shorten(self.after)}"


def main(arguments: list[str]) -> None:
    """Choose changes, try each, and print what came of them by room; ends in time, with what it has tried by then."""
    parser = ArgumentParser(prog="python -m bench mutants", description=__doc__)
    parser.add_argument("paths", nargs="*", default=["app/"], help="beginnings of file names, e.g. app/auth")
    parser.add_argument("--count", type=int, default=100, help="how many changes")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--skip", type=int, default=0, help="leave out so many of them, which an earlier run tried")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin nothing after these")
    options = parser.parse_args(arguments)
    ends = time.monotonic() + 60 * options.minutes
    root = Path.cwd()
    files = sorted(path for pattern in _FILES for path in (root / "app").glob(pattern))
    changes = [
        each for path in files for each in _list_changes(path, root) if each.file.startswith(tuple(options.paths))
    ]
    chosen = random.Random(options.seed).sample(changes, min(options.count, len(changes)))[options.skip :]  # noqa: S311 - no secret
    write(f"{len(chosen)} of {len(changes)} possible changes, seed {options.seed}")
    rooms = sorted({*_FRONT, *(change.room for change in chosen)})
    prepare()
    reached = find_reach(root, rooms, ends)
    write(f"{len(reached)} tests; changing one thing at a time ...")
    _judge(chosen, reached, _read_equivalent(), ends)


def _judge(chosen: Sequence[Change], reached: Sequence[Reached], equivalent: set[tuple[str, ...]], ends: float) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    survivors = []
    for number, change in enumerate(chosen):
        if time.monotonic() > ends:
            write(f"out of time: {len(chosen) - number} are left, go on with --skip")
            break
        if (change.file, change.function, change.before, change.after) in equivalent:
            verdict = "equivalent"
        else:
            tests = _choose_tests(change, reached)
            unnoticed = not tests or run_forked(tests, seconds=_TIMEOUT_SECONDS, begin=partial(_put, change)) == 0
            verdict = "survived" if unnoticed else "killed"
            if verdict == "survived":
                survivors.append(change)
                write(f"survived {change.describe()} ({len(tests)} tests)")
        counts[change.room, verdict] += 1
    _report(counts, survivors)


def _report(counts: Counter[tuple[str, str]], survivors: Sequence[Change]) -> None:
    write(f"{'':12}{'killed':>8}{'survived':>10}{'equivalent':>12}{'of the rest killed':>20}")
    for room in (*sorted({room for room, _ in counts}), "all"):
        killed, survived, same = (
            sum(count for (of, verdict), count in counts.items() if verdict == each and room in {of, "all"})
            for each in ("killed", "survived", "equivalent")
        )
        write(f"{room:12}{killed:8}{survived:10}{same:12}{killed / max(1, killed + survived):20.1%}")
    write("\n".join(["survivors:", *(f"  {change.describe()}" for change in sorted(survivors))]))


def _read_equivalent() -> set[tuple[str, ...]]:
    listed = tomllib.loads(_EQUIVALENT.read_text(encoding="utf-8")).get("change", [])
    return {(each["file"], each["function"], each["before"], each["after"]) for each in listed}


def _list_changes(path: Path, root: Path) -> Iterator[Change]:
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node, function in _walk(ast.parse(source), ""):
        for part, after in _vary(node, source.decode()) if function.rpartition(".")[2] else ():
            start = starts[part.lineno - 1] + part.col_offset
            end = starts[(part.end_lineno or part.lineno) - 1] + (part.end_col_offset or 0)
            before = source[start:end].decode()
            yield Change(str(path.relative_to(root)), part.lineno, function, start, end, before, after)


def _walk(node: ast.AST, scope: str) -> Iterator[tuple[ast.AST, str]]:
    """Walk through what runs in functions, with their qualified names.

    Outside, where the name ends in a dot or is empty, are annotations, defaults, decorators and formatted texts.
    """
    if isinstance(node, ast.JoinedStr):
        return
    yield node, scope
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name not in {"annotation", "returns", "decorator_list", "args"} | (
                {"args"} if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) else set()
            ):
                yield from _walk(child, _enter(child, scope))
        if name == "args" and isinstance(node, ast.Call):
            for child in value:
                yield from _walk(child, _enter(child, scope))


def _enter(node: ast.AST, scope: str) -> str:
    """Name the scope that a node opens, as `co_qualname` does."""
    inside = f"{scope}.<locals>." if scope and not scope.endswith(".") else scope
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return inside + node.name
        case ast.Lambda():
            return inside + "<lambda>"
        case ast.ClassDef():
            return f"{inside}{node.name}."
    return scope


def _vary(node: ast.AST, source: str) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """List what to write instead of a node, or of a part of it."""

    def text(part: ast.AST) -> str:
        return ast.get_source_segment(source, part) or ""

    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _SWAPS:
            yield node, f"{text(left)} {_SWAPS[type(op)]} {text(right)}"
        case ast.BoolOp(op=op, values=values):
            word = " or " if isinstance(op, ast.And) else " and "
            yield node, f"({word.join(f'({text(value)})' for value in values)})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, f"({text(operand)})"
        case ast.Constant(value=int() | float() as value):
            yield node, str(not value if isinstance(value, bool) else value + 1)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            yield node, f"{text(left)} {'-' if isinstance(op, ast.Add) else '+'} {text(right)}"
        case ast.If(test=ast.Name() | ast.Call() | ast.Attribute() as test):
            yield test, f"(not {text(test)})"
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield value, "None"
        case ast.Expr(value=ast.Call() | ast.Await()) if not text(node).startswith("log."):
            yield node, "pass"


def _choose_tests(change: Change, reached: Sequence[Reached]) -> Sequence[str]:
    """Choose the tests that run through the function, those of its room first, the fast ones before the slow."""
    key = (change.file, change.function)
    through = [test for test in reached if key in test.functions]
    names, spent = [], 0.0
    for test in sorted(through, key=lambda test: (not test.name.startswith(f"tests/{change.room}/"), test.seconds)):
        spent += test.seconds
        if names and spent > _TEST_SECONDS:
            break
        names.append(test.name)
    return names


def _put(change: Change) -> None:
    """Give every function of the file the code it has with the change."""
    file = Path.cwd() / change.file
    source = file.read_bytes()
    changed = source[: change.start] + change.after.encode() + source[change.end :]
    codes = dict(_list_codes(compile(changed, str(file), "exec")))
    for function in [each for each in gc.get_objects() if isinstance(each, FunctionType)]:
        code = function.__code__
        if code.co_filename == str(file) and (new := codes.get((code.co_qualname, code.co_firstlineno))):
            function.__code__ = new


def _list_codes(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    yield (code.co_qualname, code.co_firstlineno), code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _list_codes(inner)


def _shorten(text: str) -> str:
    return " ".join(text.split())[:90]
