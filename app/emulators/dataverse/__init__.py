"""An emulated Dataverse: the part of the Web API this product uses, refusing what the real one refuses.

What the documentation leaves open is guessed:

* an expired delta token is answered with status 400; its code and message are those of the organisation service;
* so is a token from before change tracking was switched on, or of a version that the organisation has not reached;
* codes and words for a malformed token, for one of another table, and for a table without change tracking;
* the next pages of a first read need `odata.track-changes` again, and a delta leaves what happens while it is read to
  the next one;
* `Merge` copies no column that `UpdateContent` does not name, its refusals have the code `0x0`, and an account that
  takes over its own parent has none afterwards; lookups to a removed row stay as they are.
"""

from app.emulators.dataverse.application import (
    AGENT_EMAIL_COLUMN,
    AGENT_ID_COLUMN,
    CLIENT_ID,
    CLIENT_SECRET,
    TENANT_ID,
    TOKEN,
    DataverseEmulator,
    create_dataverse_emulator,
)
from app.emulators.dataverse.control import RecordedRequest
from app.emulators.dataverse.errors import DataFileError
from app.emulators.dataverse.generation import MAX_ACCOUNTS, MAX_CONTACTS, add_customers
from app.emulators.dataverse.loading import load_tables, read_tables, sample_tables
from app.emulators.dataverse.tables import Tables

__all__ = [
    "AGENT_EMAIL_COLUMN",
    "AGENT_ID_COLUMN",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "MAX_ACCOUNTS",
    "MAX_CONTACTS",
    "TENANT_ID",
    "TOKEN",
    "DataFileError",
    "DataverseEmulator",
    "RecordedRequest",
    "Tables",
    "add_customers",
    "create_dataverse_emulator",
    "load_tables",
    "read_tables",
    "sample_tables",
]
