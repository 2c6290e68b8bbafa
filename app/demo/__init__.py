"""The demo: embedded Dataverse and Enreach API, sample data, sample rules and keys of its own, on loopback only."""
