"""`smartrouting numbers spell`: the notations of a number, as an integrator sees them."""

from pathlib import Path

from tests.support.console import Console


def test_spell_lists_notations_with_sources(console: Console, tmp_path: Path) -> None:
    """The customer's own notations come first, then those of the number's country, each with where it is seen."""
    patterns = {"SMARTROUTING_PHONE__PATTERNS": '["##/### ## ##"]'}

    ended = console.run(tmp_path, "numbers", "spell", "+46701740605", **patterns)

    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[:4] == [
        "70/174 06 05         configured",
        "+46701740605         ITU-T E.164",
        "070-174 06 05        Svenska skrivregler",
        "0701740605           forms that Nordic checkout forms accept (Resurs Bank)",
    ]
    assert len(ended.out.splitlines()) == 1 + 14


def test_spell_reads_numbers_of_the_default_region(console: Console, tmp_path: Path) -> None:
    """A number may be given as it is dialled at home."""
    german = {"SMARTROUTING_PHONE__DEFAULT_REGION": "DE"}

    ended = console.run(tmp_path, "numbers", "spell", "0171/3920012", **german)

    assert ended.out.splitlines()[0].split(maxsplit=1) == ["+491713920012", "ITU-T E.164"]


def test_spell_refuses_what_is_no_public_number(console: Console, tmp_path: Path) -> None:
    """An extension has no notations; the text given is not repeated."""
    ended = console.run(tmp_path, "numbers", "spell", "1234")

    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        "smartrouting: this is no public number of FI: write it as it is dialled there, or with + and its "
        "country code\n"
    )
