"""Changes the code in one small way at a time, and lists the changes that no test notices.

The same seed chooses the same changes in the same code. Each is made in a copy of the repository and judged by the
tests that run through the changed function, the fastest first. What survives needs a test, or means the same as before.
"""

import ast
import compileall
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from bench.output import write
from bench.reach import FOLDER

__all__ = ["main"]

_FILES = ("calls/*.py", "routing/*.py", "auth/*.py", "directory/*.py", "users/*.py", "rulesets/publish*.py")
_FRONT = ("calls", "web")
"""Folders of tests that run through every room, besides its own."""
_COUNT = 100
_WORKERS = max(1, (os.cpu_count() or 2) // 2 + 1)
_TEST_SECONDS = 40.0
"""Of tests for one change, as long as they took under the profiler."""
_TIMEOUT_SECONDS = 240
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
    """One small change of the code."""

    file: str
    line: int
    function: int
    """First line of the innermost function, as its code object tells it; 0 outside of any."""
    start: int
    end: int
    """Bytes of the file, from and to."""
    after: str


class Reached(NamedTuple):
    """A test and what it runs through."""

    name: str
    seconds: float
    functions: frozenset[tuple[str, int]]


def main(arguments: list[str]) -> None:
    """Take `count`, `seed` and beginnings of file names, all optional: `python -m bench mutants 200 7 app/routing`."""
    numbers = [int(word) for word in arguments if word.isdigit()]
    wanted = tuple(word for word in arguments if not word.isdigit()) or ("app/",)
    count, seed = [*numbers, *(_COUNT, 1)[len(numbers) :]][:2]
    root = Path.cwd()
    files = sorted(path for pattern in _FILES for path in (root / "app").glob(pattern))
    changes = [change for path in files for change in _list_changes(path, root) if change.file.startswith(wanted)]
    chosen = sorted(random.Random(seed).sample(changes, min(count, len(changes))))  # noqa: S311 - no secret
    write(f"{len(chosen)} of {len(changes)} possible changes, seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        copies = [_copy(root, Path(folder) / str(number)) for number in range(_WORKERS)]
        rooms = sorted({*_FRONT, *(change.file.split("/")[1] for change in chosen)})
        reached = _find_reach(copies[0], Path(folder), rooms)
        write(f"{len(reached)} tests; changing one thing at a time ...")
        free: SimpleQueue[Path] = SimpleQueue()
        for copy in copies:
            free.put(copy)
        with ThreadPoolExecutor(_WORKERS) as pool:
            survived = [change for change in pool.map(lambda each: _try(each, free, reached), chosen) if change]
    noticed = len(chosen) - len(survived)
    write(f"{noticed} of {len(chosen)} noticed ({noticed / max(1, len(chosen)):.1%})")


def _list_changes(path: Path, root: Path) -> Iterator[Change]:
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node, function in _walk(ast.parse(source), 0):
        for part, after in _vary(node, source.decode()):
            start = starts[part.lineno - 1] + part.col_offset
            end = starts[(part.end_lineno or part.lineno) - 1] + (part.end_col_offset or 0)
            yield Change(str(path.relative_to(root)), part.lineno, function, start, end, after)


def _walk(node: ast.AST, function: int) -> Iterator[tuple[ast.AST, int]]:
    """Walk through what runs: no annotations, no decorators, and no formatted texts, whose places are not told."""
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    if isinstance(node, ast.Lambda):
        function = node.lineno
    yield node, function
    for name, value in ast.iter_fields(node):
        if name not in {"annotation", "returns", "decorator_list"}:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _walk(child, function)


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


def _copy(root: Path, target: Path) -> Path:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S607
    for name in listed.split("\0"):
        if name and (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    compileall.compile_dir(target / "app", quiet=2)
    return target


def _find_reach(copy: Path, folder: Path, rooms: Sequence[str]) -> Sequence[Reached]:
    """Run every test of these rooms once under a profiler."""
    notes = folder / "reach"
    notes.mkdir()
    write("finding out which test runs through what (once, some minutes) ...")
    _run(copy, ["-n", str(_WORKERS), "-p", "bench.reach", *(f"tests/{room}" for room in rooms)], {FOLDER: str(notes)})
    seconds: dict[str, float] = {}
    functions: dict[str, set[tuple[str, int]]] = {}
    for line in (line for file in notes.glob("*.jsonl") for line in file.read_text(encoding="utf-8").splitlines()):
        found = json.loads(line)
        name = found["test"]
        seconds[name] = seconds.get(name, 0.0) + found["seconds"]
        functions.setdefault(name, set()).update((file, first) for file, first in found["functions"])
    tests = [Reached(name, seconds[name], frozenset(functions[name])) for name in seconds]
    return sorted(tests, key=lambda test: test.seconds)


def _try(change: Change, free: "SimpleQueue[Path]", reached: Sequence[Reached]) -> Change | None:
    """Make the change and run the tests that reach it; give it back when none of them notices."""
    tests = [test for test in reached if _reaches(test, change)]
    copy = free.get()
    file = copy / change.file
    before = file.read_bytes()
    try:
        file.write_bytes(before[: change.start] + change.after.encode() + before[change.end :])
        names, spent = [], 0.0
        for test in tests:
            spent += test.seconds
            if names and spent > _TEST_SECONDS:
                break
            names.append(test.name)
        noticed = bool(names) and _run(copy, ["-x", *names], {}) != 0
    finally:
        file.write_bytes(before)
        free.put(copy)
    if noticed:
        return None
    old = " ".join(before[change.start : change.end].decode().split())
    write(f"survived {change.file}:{change.line}: {old[:90]} -> {change.after[:90]} ({len(names)} tests)")
    return change


def _reaches(test: Reached, change: Change) -> bool:
    if change.function:
        return (change.file, change.function) in test.functions
    return any(file == change.file for file, _ in test.functions)


def _run(copy: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run pytest on a copy, and return its exit status."""
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *arguments]
    plugins = "anyio.pytest_plugin,pytest_socket,xdist.plugin,_hypothesis_pytestplugin"
    own = {"PYTHONPATH": str(copy), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": plugins}
    try:
        return subprocess.run(  # noqa: S603 - our own tests
            command,
            cwd=copy,
            env={**os.environ, **own, **environment, "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
            timeout=None if environment else _TIMEOUT_SECONDS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).returncode
    except subprocess.TimeoutExpired:
        return 1
