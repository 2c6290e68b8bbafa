"""The recipes: every ruleset is sound, its tests pass, and it costs a call what is written above it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.routing.lint import lint_ruleset
from app.routing.rule_tests import run_tests
from app.routing.ruleset import Ruleset, read_ruleset
from app.routing.wire import FieldSpelling, ResponseProfile, Shape
from tests.support.service import UNHURRIED, WEBHOOK_KEY, open_service

TEXT = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
BASE = json.loads(re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[0])
RECIPES = re.findall(r"(?ms)^## \d+\. (.+?)\n.*?^Costs (\d) requests\.\n\n```json\n(.*?)```", TEXT)
OWN_COLUMNS = "new_"
"""Of an organisation: the emulated one does not have them."""
PRIORITY = ResponseProfile(fields={"priority": FieldSpelling(key="not-a-vendor-key", shape=Shape.NUMBER)})
ANNA = "+358501234567"


def complete(recipe: str) -> dict[str, Any]:
    """Put a recipe beside the destinations and opening hours that all of them share."""
    members = json.loads(recipe)
    return {**BASE, **members, "calendars": {**BASE["calendars"], **members.get("calendars", {})}}


def test_there_are_as_many_as_there_are_needs() -> None:
    """Each heading has its cost and its rules."""
    assert len(RECIPES) == len(re.findall(r"^## ", TEXT, re.MULTILINE)) == 32


@pytest.mark.parametrize("recipe", [text for _, _, text in RECIPES], ids=[title for title, _, _ in RECIPES])
def test_a_recipe_is_sound_and_its_tests_pass(recipe: str) -> None:
    """There is nothing to say against the rules, and every stored test comes out as it says."""
    ruleset: Ruleset = read_ruleset(complete(recipe))

    assert lint_ruleset(ruleset, PRIORITY) == ()
    assert ruleset.tests
    assert [(result.name, result.mismatches) for result in run_tests(ruleset) if result.mismatches] == []


@pytest.mark.parametrize(
    ("cost", "recipe"),
    [(int(cost), text) for _, cost, text in RECIPES if OWN_COLUMNS not in text],
    ids=[title for title, _, text in RECIPES if OWN_COLUMNS not in text],
)
async def test_a_recipe_costs_what_it_says(cost: int, recipe: str, tmp_path: Path) -> None:
    """A caller who is not remembered takes so many requests to Dataverse, and not one more."""
    fields = {"priority": {"key": "not-a-vendor-key", "shape": "number"}}
    webhook = {"api_keys": {"queue": WEBHOOK_KEY}, **UNHURRIED}
    async with open_service(tmp_path, rules=complete(recipe), webhook=webhook, response={"fields": fields}) as service:
        before = len(service.dataverse.requests)
        assert (await service.call(ANNA, bnum="+358912345678", targetid="SALES_QUEUE")).status_code in {200, 204}
        asked = [request.path for request in service.dataverse.requests[before:]]

    assert len(asked) == cost, asked
