"""The settings tree: everything an integrator can decide, read once from the environment and a `.env` file.

Every variable starts with `SMARTROUTING_` and nests with `__`. Unknown names and contradictions stop the start with
one line that names the variable.
"""

from app.settings.addresses import require_https
from app.settings.admin import AdminKey, AdminSettings, Role
from app.settings.alerts import AlertsSettings
from app.settings.callers import AmbiguityPolicy, CacheSettings, PhoneSettings, VipCriterion, VipSettings
from app.settings.dataverse import DataverseAuth, DataverseSettings, DirectoryKind
from app.settings.deployment import LogSettings, RulesSettings, StoreSettings
from app.settings.reading import SettingsError, read_settings
from app.settings.response import ResponseSettings, WireField
from app.settings.tree import Settings
from app.settings.voice import EnreachSettings, VoiceSettings
from app.settings.webhook import WebhookSettings

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
    "LogSettings",
    "PhoneSettings",
    "ResponseSettings",
    "Role",
    "RulesSettings",
    "Settings",
    "SettingsError",
    "StoreSettings",
    "VipCriterion",
    "VipSettings",
    "VoiceSettings",
    "WebhookSettings",
    "WireField",
    "read_settings",
    "require_https",
]
