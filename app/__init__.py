"""Smart Routing for Enreach Voice: decides where each incoming call should go."""
