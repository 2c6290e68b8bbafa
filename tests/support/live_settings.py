"""Settings that never change, for tests of what reads them, and a change of those that do."""

from dataclasses import dataclass, field
from pathlib import Path

from app.calls.call_settings import CallSettings, make_call_settings
from app.routing.wire import ResponseProfile
from tests.support.rulesets import Administrator
from tests.support.service import Service, make_settings

__all__ = ["FixedSettings", "make_usual_settings", "save"]


def make_usual_settings(version: int = 0) -> CallSettings:
    """Make what calls need of the settings of a small deployment."""
    return make_call_settings(make_settings(Path()), version=version)


@dataclass(frozen=True)
class FixedSettings:
    """The settings of a small deployment, or others."""

    settings: CallSettings = field(default_factory=make_usual_settings)

    def call_settings(self) -> CallSettings:
        """Return them."""
        return self.settings

    def find_profile(self, _version: int | None) -> ResponseProfile:
        """Return theirs."""
        return self.settings.profile


async def save(service: Service, group: str, **values: object) -> int:
    """Change values of a group from whatever is there, and return its new version."""
    admin = Administrator(service)
    version = (await admin.read(f"/admin/settings/{group}"))["version"]
    answer = await admin.send("PATCH", f"/admin/settings/{group}", values, etag=f'"{version}"')
    assert answer.status_code == 200, answer.text
    saved: int = answer.json()["version"]
    return saved
