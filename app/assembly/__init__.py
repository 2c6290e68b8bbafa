"""Builds the larger parts from the settings; the composition root and the console script put them together."""
