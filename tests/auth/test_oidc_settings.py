"""What the settings say about sign-in and about where Enreach ids are kept."""

import pytest
from pydantic import ValidationError

from app.settings import AdminSettings, DataverseSettings, Role


@pytest.mark.parametrize(
    "issuer", ["http://idp.example", "idp.example", "https://u:p@idp.example", "ftp://idp.example"]
)
def test_an_issuer_must_be_https(issuer: str) -> None:
    """Keys must not come over a line that anybody can change."""
    with pytest.raises(ValidationError):
        AdminSettings(oidc_issuer=issuer, oidc_audience="x")


def test_an_issuer_stays_as_it_is_written() -> None:
    """A trailing slash may be part of its name."""
    admin = AdminSettings.model_validate(
        {"oidc_issuer": "https://idp.example/", "oidc_audience": "x", "oidc_roles": {"g-1": "Voice User"}}
    )

    assert (admin.oidc_issuer, admin.oidc_roles) == ("https://idp.example/", {"g-1": Role.VOICE_USER})


def test_the_address_column_needs_the_id_column() -> None:
    """Ids and addresses are kept in one place."""
    with pytest.raises(ValidationError, match="AGENT_ID_COLUMN"):
        DataverseSettings(agent_email_column="new_mail")
