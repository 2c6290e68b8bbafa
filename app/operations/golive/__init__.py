"""The day before the first real call: is everything ready, and what Enreach needs to know."""
