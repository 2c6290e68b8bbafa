"""`smartrouting rules lint FILE` and `smartrouting rules test FILE`."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.bootstrap.upstreams import Upstreams, connect_organisation
from app.calls.call_settings import make_profile
from app.cli.promote import diff, publish, pull, push
from app.cli.replay import replay
from app.cli.shell import Json
from app.dataverse.column_types import ColumnTypes
from app.demo.setup import prepare_demo
from app.errors import Finding, InvalidInputError
from app.observability.logging import configure_logging
from app.routing.columns import list_columns
from app.routing.compiled import compile_ruleset
from app.routing.lint import lint_ruleset
from app.routing.lint_columns import list_undescribed
from app.routing.rule_tests import StoredTestResult, run_tests
from app.routing.ruleset import Ruleset, read_ruleset, ruleset_document
from app.routing.wire import describe_decision
from app.rulesets.publish import read_ruleset_file
from app.settings import Settings, read_settings

__all__ = ["rules"]

rules = typer.Typer(name="rules", help="Work on a ruleset file.", no_args_is_help=True)

RulesFile = Annotated[Path, typer.Argument(help="Ruleset file (JSON).", show_default=False)]


@rules.command()
def lint(file: RulesFile, *, as_json: Json = False) -> None:
    """Say what is wrong with a ruleset, place by place; exit status 1 when it cannot be published."""
    settings = _read_settings()
    try:
        ruleset = read_ruleset(read_ruleset_file(file))
    except InvalidInputError as error:
        if not error.findings:
            raise
        _end(error.findings, as_json=as_json)
    findings = lint_ruleset(ruleset, make_profile(settings.response), region=settings.phone.default_region)
    if (unknown := list_undescribed(ruleset)) and not as_json:
        sys.stdout.write(
            f"not checked: the types and choices of {', '.join(unknown)}, and labels there never match "
            f"(`smartrouting rules columns {file}` reads them from Dataverse)\n"
        )
    _end(findings, as_json=as_json)


@rules.command()
def columns(file: RulesFile) -> None:
    """Ask Dataverse about the columns that a ruleset reads, and write types and labels into the file."""
    settings = read_settings()
    configure_logging("error", "console")
    document = read_ruleset_file(file)
    ruleset = read_ruleset(document)
    described = asyncio.run(_describe(ruleset, settings))
    if not isinstance(document, dict) or described.columns == ruleset.columns:
        sys.stdout.write("nothing to add\n")
        return
    document["columns"] = ruleset_document(described)["columns"]
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"described: {', '.join(sorted(f'{t}.{c}' for t, cs in described.columns.items() for c in cs))}\n")


@rules.command()
def test(file: RulesFile, *, as_json: Json = False) -> None:  # noqa: PT028 - a command
    """Run the tests that a ruleset carries; exit status 1 when one fails or there is none."""
    region = _read_settings().phone.default_region
    results = run_tests(read_ruleset(read_ruleset_file(file)), region=region)
    failed = sum(not result.passed for result in results)
    if as_json:
        _write_json({"passed": len(results) - failed, "failed": failed, "tests": [_show(result) for result in results]})
        raise typer.Exit(1 if failed or not results else 0)
    for result in results:
        sys.stdout.write(
            f"{'pass' if result.passed else 'FAIL'}  {result.name}: {describe_decision(result.decision)}\n"
        )
        for line in (*result.mismatches, *filter(None, [result.explanation])):
            sys.stdout.write(f"      {line}\n")
    nothing = "" if results else ": the ruleset carries no test"
    sys.stdout.write(f"{len(results) - failed} passed, {failed} failed{nothing}\n")
    raise typer.Exit(1 if failed or not results else 0)


for _command in (replay, pull, diff, push, publish):
    rules.command()(_command)


def _read_settings() -> Settings:
    """Read region and response profile; a rules author need not have the rest of a deployment."""
    return read_settings(demo=True, host="127.0.0.1")


async def _describe(ruleset: Ruleset, settings: Settings) -> Ruleset:
    upstreams = Upstreams()
    if settings.demo:
        demo = prepare_demo(settings, upstreams)
        settings, upstreams = demo.settings, demo.upstreams
    async with AsyncExitStack() as stack:
        client = connect_organisation(settings, upstreams, stack).people
        types = ColumnTypes(client=client, monotonic=time.monotonic)
        facts = compile_ruleset(ruleset, revision=None).facts_used
        return ruleset.describe_columns(await types.describe(list_columns(facts)))


def _show(result: StoredTestResult) -> dict[str, object]:
    return {
        "name": result.name,
        "passed": result.passed,
        "decision": describe_decision(result.decision),
        "mismatches": list(result.mismatches),
        "explanation": result.explanation,
    }


def _write_json(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _end(findings: Sequence[Finding], *, as_json: bool) -> None:
    errors = sum(finding.severity == "error" for finding in findings)
    if as_json:
        warnings = len(findings) - errors
        _write_json({"errors": errors, "warnings": warnings, "findings": [asdict(finding) for finding in findings]})
        raise typer.Exit(1 if errors else 0)
    for finding in findings:
        rule = f" [{finding.rule}]" if finding.rule else ""
        hint = f" ({finding.hint})" if finding.hint else ""
        place = finding.pointer or "/"
        sys.stdout.write(f"{finding.severity}: {place}{rule}: {finding.message}{hint}\n")
    sys.stdout.write(f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}\n")
    raise typer.Exit(1 if errors else 0)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
