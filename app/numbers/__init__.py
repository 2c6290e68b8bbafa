"""How phone numbers stand in Dynamics: what is wrong with them, who shares one, and their correction."""
