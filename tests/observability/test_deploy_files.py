"""Whether the alert rules and the dashboard of `deploy/observability` fit what the service exposes."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.service import VIP_RULES, open_service

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
_NAME = re.compile(r"smartrouting_\w+")
_SERIES = re.compile(r"_(?:bucket|count|sum|total)$")
_ONLY_WITH = {"smartrouting_mirror_state", "smartrouting_mirror_lag_seconds"}
"""Exposed with the directory `mirror` only."""


def list_expressions() -> Iterator[str]:
    """List what the rules and the panels ask Prometheus."""
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])


async def test_every_series_that_is_asked_for_is_exposed(tmp_path: Path) -> None:
    """No rule and no panel waits for a metric that has another name."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        exposed = set(re.findall(r"^# TYPE (smartrouting_\w+)", await service.read_metrics(), re.MULTILINE))
    exposed = {_SERIES.sub("", name) for name in exposed} | _ONLY_WITH
    asked = {_SERIES.sub("", name) for expression in list_expressions() for name in _NAME.findall(expression)}
    assert asked - exposed == set()


def test_every_metric_of_a_rule_is_explained_to_operators() -> None:
    """Whoever is called at night finds the metric in the handbook, and the rules as well."""
    handbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    asked = {name for rule in RULES for name in _NAME.findall(rule["expr"])}
    assert {name for name in asked if name not in handbook} == set()
    assert "deploy/observability/alerts.yml" in handbook


def test_rules_and_panels_are_whole() -> None:
    """Each rule has a name of its own, a severity and words; each panel a place, and the data source of the reader."""
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    assert {rule["labels"]["severity"] for rule in RULES} == {"critical", "warning"}
    assert all(set(rule["annotations"]) == {"summary", "description"} for rule in RULES)
    source = {"type": "prometheus", "uid": "${datasource}"}
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    assert all(target["datasource"] == source for panel in panels for target in panel["targets"])
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_rules() -> None:
    """The configuration and the rules it loads are what Prometheus takes."""
    command = ["promtool", "check", "config", str(FOLDER / "prometheus.yml")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    assert ended.returncode == 0, ended.stdout + ended.stderr
