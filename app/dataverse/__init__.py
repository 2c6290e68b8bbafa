"""Adapter to the Dataverse Web API: finds callers and reads the customer organisation."""
