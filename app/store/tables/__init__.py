"""The tables of the database, all of them: a migration is compared with these."""

from app.store.tables.base import metadata
from app.store.tables.calls import caller_snapshots, decisions, event_runs, shadow_diffs, shadow_results
from app.store.tables.directory import (
    mirror_generations,
    mirror_numbers,
    mirror_positions,
    mirror_records,
    number_corrections,
    number_counts,
    search_finds,
)
from app.store.tables.operations import (
    agent_ids,
    alert_deliveries,
    alert_receivers,
    alerts,
    api_keys,
    audit,
    confirmations,
    enterprise_call_state,
    enterprise_calls,
    jobs,
    key_uses,
    settings_versions,
)
from app.store.tables.reports import report_calls, report_exports, report_latencies, report_requests, report_users
from app.store.tables.rulesets import drafts, revisions, rule_table_parts, rule_table_versions, rule_tables, switches

__all__ = [
    "agent_ids",
    "alert_deliveries",
    "alert_receivers",
    "alerts",
    "api_keys",
    "audit",
    "caller_snapshots",
    "confirmations",
    "decisions",
    "drafts",
    "enterprise_call_state",
    "enterprise_calls",
    "event_runs",
    "jobs",
    "key_uses",
    "metadata",
    "mirror_generations",
    "mirror_numbers",
    "mirror_positions",
    "mirror_records",
    "number_corrections",
    "number_counts",
    "report_calls",
    "report_exports",
    "report_latencies",
    "report_requests",
    "report_users",
    "revisions",
    "rule_table_parts",
    "rule_table_versions",
    "rule_tables",
    "search_finds",
    "settings_versions",
    "shadow_diffs",
    "shadow_results",
    "switches",
]
