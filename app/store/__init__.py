"""Tables and stores with intent-named methods, on SQLite and PostgreSQL."""
