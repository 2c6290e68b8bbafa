"""How Voice for Dynamics 365 is set up."""
