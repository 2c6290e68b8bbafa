"""What keeps the service running."""
