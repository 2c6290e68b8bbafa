"""Events of the phone client, and the plugins that run then (administrator guide, "Plugin architecture")."""
