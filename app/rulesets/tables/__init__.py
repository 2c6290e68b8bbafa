"""Tables that rules look up: put as CSV or JSON, kept with their history, and in the memory of every process."""
