"""The plugin by itself: no service is needed."""

import asyncio

import pytest
from caller_country import CallerCountry, CountryParameters

from app.configurator.events.context import EventContext
from app.configurator.events.plugin import PluginError


def run(number: str | None, language: str = "en") -> dict[str, object]:
    """Return what the plugin found."""
    context = EventContext(phone_number=number)
    return asyncio.run(CallerCountry().run(context, CountryParameters(language=language))).results


def test_the_country_is_named_in_the_language_of_the_row() -> None:
    """The number alone tells it."""
    assert run("+358501234567") == {"caller-country": {"country": "Finland"}}
    assert run("+46701234567", "de") == {"caller-country": {"country": "Schweden"}}


def test_a_withheld_number_tells_nothing() -> None:
    """Nothing is written."""
    assert run(None) == {}


def test_what_is_no_number_is_an_error_without_the_number() -> None:
    """The message is shown and recorded, so it holds nothing personal."""
    with pytest.raises(PluginError, match=r"^the number is not in E\.164$"):
        run("Anna")
