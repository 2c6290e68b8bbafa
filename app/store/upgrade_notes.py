"""What operators should know before the database is upgraded: the upgrade notes of CHANGELOG.md."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["NOTHING_TO_DO", "read_upgrade_notes"]

NOTHING_TO_DO: Final = "nothing to do."
"""The note of a migration that no operator notices."""
_PLACES: Final = (Path(__file__).with_name("CHANGELOG.md"), Path(__file__).parents[2] / "CHANGELOG.md")
"""Where the package brings the file, and where it stands in the repository."""
_SECTION: Final = re.compile(r"^### Upgrade notes\n(.*?)(?=^##|\Z)", re.DOTALL | re.MULTILINE)
_NOTE: Final = re.compile(r"^- ([0-9]{4}): (.+(?:\n  .+)*)", re.MULTILINE)


def read_upgrade_notes() -> Mapping[str, str]:
    """Return the note of each migration by its revision; empty when the file did not come along."""
    file = next((place for place in _PLACES if place.is_file()), None)
    if file is None:
        return {}
    sections = _SECTION.findall(file.read_text(encoding="utf-8"))
    return {revision: " ".join(note.split()) for section in sections for revision, note in _NOTE.findall(section)}
