"""Builds the components of the process and opens them in order."""
