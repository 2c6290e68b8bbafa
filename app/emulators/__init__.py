"""Embedded stand-ins for Dataverse, the Enreach API and Microsoft Graph, used by the demo and by tests."""
