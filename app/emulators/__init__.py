"""Embedded stand-ins for Dataverse and the Enreach API, used by the demo and by tests."""
