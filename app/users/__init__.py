"""The users of Voice for Dynamics 365."""
