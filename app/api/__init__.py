"""HTTP surface for the Enreach queue and for probes."""
