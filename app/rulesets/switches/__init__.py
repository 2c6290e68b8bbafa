"""Switches: named states that rules test and administrators set, without a publish."""
