"""App registrations in Entra ID, and when their secrets and certificates expire."""
