"""An emulated Dataverse: the part of the Web API this product uses, refusing what the real one refuses."""

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
from app.emulators.dataverse.loading import load_tables, read_tables, sample_tables
from app.emulators.dataverse.tables import Tables

__all__ = [
    "AGENT_EMAIL_COLUMN",
    "AGENT_ID_COLUMN",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "TENANT_ID",
    "TOKEN",
    "DataFileError",
    "DataverseEmulator",
    "RecordedRequest",
    "Tables",
    "create_dataverse_emulator",
    "load_tables",
    "read_tables",
    "sample_tables",
]
