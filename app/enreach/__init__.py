"""Adapter to the Enreach API: users, queues, directories and calls as the telephone system knows them."""
