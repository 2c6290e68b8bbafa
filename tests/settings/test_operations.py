"""Settings of alarms and of retiring credentials."""

import pytest

from app.settings import SettingsError, read_settings

BASE = {
    "SMARTROUTING_WEBHOOK__API_KEYS": '{"old": "fake-old-webhook-key", "new": "fake-new-webhook-key"}',
    "SMARTROUTING_DATAVERSE__URL": "https://org.example.com",
    "SMARTROUTING_DATAVERSE__AUTH": "managed_identity",
}
SECRET = "whsec_ZmFrZS1zZWNyZXQtZm9yLXRlc3RzLW9ubHktMTIz"


def test_alerts_and_retiring_keys_are_read() -> None:
    """A URL with its secret, and a day for a label."""
    settings = read_settings(
        BASE
        | {
            "SMARTROUTING_ALERTS__URL": "https://receiver.example/hook",
            "SMARTROUTING_ALERTS__SECRET": SECRET,
            "SMARTROUTING_WEBHOOK__RETIRING": '{"old": "2026-12-31"}',
        }
    )
    assert settings.alerts.url == "https://receiver.example/hook"
    assert settings.webhook.retiring["old"].isoformat() == "2026-12-31"
    assert (settings.dataverse.max_connections, settings.dataverse.requests_per_5_minutes) == (50, 5400)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"SMARTROUTING_ALERTS__URL": "https://receiver.example"}, "SMARTROUTING_ALERTS: SMARTROUTING_ALERTS__URL and"),
        ({"SMARTROUTING_ALERTS__SECRET": SECRET}, "SMARTROUTING_ALERTS: SMARTROUTING_ALERTS__URL and"),
        ({"SMARTROUTING_ALERTS__SECRET": "short"}, "SMARTROUTING_ALERTS__SECRET: must be whsec_"),
        (
            {"SMARTROUTING_WEBHOOK__RETIRING": '{"odl": "2026-12-31"}'},
            "SMARTROUTING_WEBHOOK: SMARTROUTING_WEBHOOK__RETIRING names odl",
        ),
        ({"SMARTROUTING_DATAVERSE__MAX_CONNECTIONS": "201"}, "SMARTROUTING_DATAVERSE__MAX_CONNECTIONS: "),
    ],
)
def test_a_mistake_names_the_variable(variables: dict[str, str], line: str) -> None:
    """Half a pair, a weak secret, an unknown label and too many connections are refused."""
    with pytest.raises(SettingsError) as refused:
        read_settings(BASE | variables)
    assert str(refused.value).startswith(line)
    assert "fake-old-webhook-key" not in str(refused.value)
