"""Tells the agent from which country the other party calls."""

from typing import Final

import phonenumbers

from app.configurator.events.context import EventContext
from app.configurator.events.plugin import Parameters, PluginError


class CountryParameters(Parameters):
    """What counts as abroad."""

    home: str = "FI"
    """ISO 3166-1 code of the country that is not abroad."""


class CallerCountry:
    """Writes `{"country": "FI", "abroad": false}` into `results` under its id."""

    id: Final = "caller-country"
    description: Final = "Tell the country of the other party's number in results."
    parameters: Final = CountryParameters

    async def run(self, context: EventContext, parameters: CountryParameters) -> EventContext:
        """Read the number, which must be in E.164; a withheld one tells nothing."""
        if not context.phone_number:
            return context
        try:
            number = phonenumbers.parse(context.phone_number)
        except phonenumbers.NumberParseException as error:
            raise PluginError("the number is not in E.164") from error
        country = phonenumbers.region_code_for_country_code(number.country_code or 0)
        return context.with_result(self.id, {"country": country, "abroad": country != parameters.home})

    def preview(self, _context: EventContext, _parameters: CountryParameters) -> None:
        """Only look at the context, so that the test bench may run it."""
