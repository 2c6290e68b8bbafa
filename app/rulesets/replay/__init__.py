"""Calls decided again by another ruleset: recorded ones in a replay, answered ones in a shadow run."""
