"""Settings that administrators change while the service runs, in groups; each drives something."""
