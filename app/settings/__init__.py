"""The settings tree: everything an integrator can decide, read once from environment, `.env` file and secret files.

Every variable starts with `SMARTROUTING_` and nests with `__`. Unknown names and contradictions stop the start with
one line that names the variable.
"""

from app.settings.access import AdminKey, AdminSettings, Role, WebhookSettings
from app.settings.alerts import AlertsSettings
from app.settings.base import require_https
from app.settings.dataverse import (
    AmbiguityPolicy,
    CacheSettings,
    DataverseAuth,
    DataverseSettings,
    DirectoryKind,
    GraphSettings,
    PhoneSettings,
    VipCriterion,
    VipSettings,
)
from app.settings.deployment import (
    LogSettings,
    PluginsSettings,
    RetentionSettings,
    RulesSettings,
    StoreSettings,
    UpdatesSettings,
)
from app.settings.enreach import EnreachSettings, Framework, ResponseSettings, VoiceSettings, WireField
from app.settings.enterprise_calls import PhoneCallSyncSettings
from app.settings.reading import SettingsError, read_settings
from app.settings.reports import ReportsSettings
from app.settings.tree import Settings

__all__ = [
    "AdminKey",
    "AdminSettings",
    "AlertsSettings",
    "AmbiguityPolicy",
    "CacheSettings",
    "DataverseAuth",
    "DataverseSettings",
    "DirectoryKind",
    "EnreachSettings",
    "Framework",
    "GraphSettings",
    "LogSettings",
    "PhoneCallSyncSettings",
    "PhoneSettings",
    "PluginsSettings",
    "ReportsSettings",
    "ResponseSettings",
    "RetentionSettings",
    "Role",
    "RulesSettings",
    "Settings",
    "SettingsError",
    "StoreSettings",
    "UpdatesSettings",
    "VipCriterion",
    "VipSettings",
    "VoiceSettings",
    "WebhookSettings",
    "WireField",
    "read_settings",
    "require_https",
]
