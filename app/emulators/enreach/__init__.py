"""An embedded Enreach API, as strict as the real one where its contract is known (Enreach contract, section 4).

Inferred, because no source says it: the text of error bodies, an empty array for users discovery does not know, both
ends of a time range counting as inside, and ISO 8601 without a zone as the spelling of times in answers.
"""

from app.emulators.enreach.application import EnreachEmulator, create_enreach_emulator
from app.emulators.enreach.tables import Tables, load_sample

__all__ = ["EnreachEmulator", "Tables", "create_enreach_emulator", "load_sample"]
