"""Settings that never change, for tests of what reads them."""

from dataclasses import dataclass, field
from pathlib import Path

from app.calls.call_settings import CallSettings, make_call_settings
from app.routing.wire import ResponseProfile
from tests.support.service import make_settings

__all__ = ["FixedSettings", "make_usual_settings"]


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
