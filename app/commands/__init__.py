"""The commands of the console script: one small module each."""
