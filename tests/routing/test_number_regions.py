"""Countries of addresses."""

import pytest

from app.routing.number_regions import region_of_country


@pytest.mark.parametrize(
    ("region", "names"),
    [
        ("FI", "Finland;SUOMI;fi;FIN;Finnland; finland "),
        ("SE", "Sweden;Sverige;Ruotsi;Schweden;SE;SWE"),
        ("NO", "Norway;Norge;Norja;NOR"),
        ("DK", "Denmark;Danmark;Tanska;DNK"),
        ("DE", "Germany;Deutschland;Saksa;Tyskland;Duitsland;Allemagne;DEU"),
        ("NL", "Netherlands;The Netherlands;Nederland;Holland;Alankomaat;NLD"),
        ("PL", "Poland;Polska;Puola;Polen;POL"),
        ("GB", "United Kingdom;UK;U.K.;GB;GBR;Great Britain;England;Scotland;Iso-Britannia;Storbritannien"),
        ("FR", "France;Frankrike;Ranska;Frankreich;FRA"),
        ("US", "USA;U.S.A.;US;United States;United States of America;Yhdysvallat;Vereinigte Staaten"),
        ("CI", "Côte d'Ivoire;Côte d\u2019Ivoire"),
        ("CZ", "Czech Republic;Czechia;Česko;CZE"),
        (None, ";Atlantis;XX;XXX;Earth;AQ;12"),
    ],
)
def test_country_as_typed(region: str | None, names: str) -> None:
    """Codes and names in the languages of our customers are understood, anything else is no country."""
    assert {name: region_of_country(name) for name in names.split(";")} == dict.fromkeys(names.split(";"), region)


def test_no_text() -> None:
    """An empty column is no country."""
    assert region_of_country(None) is None
