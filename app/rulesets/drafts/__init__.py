"""Drafts of the next ruleset: made, changed part by part, and given tests from recorded calls."""
