"""The console at `/console`: a page over the public endpoints for people who do not speak JSON."""
