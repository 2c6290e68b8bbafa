"""Adapter to the Enreach API: users, queues and calls as the telephone system knows them."""
