"""The administrator's use cases: decisions, users, settings, plugins, Enterprise Calls, app registrations, reports."""
