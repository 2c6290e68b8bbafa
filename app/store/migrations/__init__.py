"""The way of the schema from the first version to this one, run by `app.store.upgrade` at every start."""
