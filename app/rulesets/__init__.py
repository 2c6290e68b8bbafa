"""The life of a ruleset: drafted, tested, replayed, published, live, rolled back."""
