"""The plugin by itself: no service is needed."""

import asyncio

import pytest
from caller_country import CallerCountry, CountryParameters

from app.configurator.events.context import EventContext
from app.configurator.events.plugin import PluginError


def run(number: str | None, home: str = "FI") -> dict[str, object]:
    """Return what the plugin found."""
    context = EventContext(phone_number=number)
    return asyncio.run(CallerCountry().run(context, CountryParameters(home=home))).results


def test_the_country_is_told_by_the_number() -> None:
    """The row says what counts as abroad."""
    assert run("+358501234567") == {"caller-country": {"country": "FI", "abroad": False}}
    assert run("+46701234567") == {"caller-country": {"country": "SE", "abroad": True}}
    assert run("+46701234567", "SE") == {"caller-country": {"country": "SE", "abroad": False}}


def test_a_withheld_number_tells_nothing() -> None:
    """Nothing is written."""
    assert run(None) == {}


def test_what_is_no_number_is_an_error_without_the_number() -> None:
    """The message is shown and recorded, so it holds nothing personal."""
    with pytest.raises(PluginError, match=r"^the number is not in E\.164$"):
        run("Anna")
