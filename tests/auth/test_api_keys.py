"""Authenticators of the administrators' endpoints."""

from app.auth.api_keys import AuthenticatorSequence, SettingsKeys
from app.auth.principals import Principal, PrincipalKind, Role
from app.settings import AdminKey


def make_keys(**keys: str) -> SettingsKeys:
    """Make an authenticator whose keys all have the administrator's role."""
    entries = {label: {"key": key, "role": Role.VOICE_ADMIN_USER} for label, key in keys.items()}
    return SettingsKeys({label: AdminKey.model_validate(entry) for label, entry in entries.items()})


async def test_a_key_from_the_settings_is_its_label() -> None:
    """A known key gives the principal of its label and role."""
    principal = await make_keys(script="fake-admin-key").authenticate("fake-admin-key")

    assert principal == Principal("script", Role.VOICE_ADMIN_USER, PrincipalKind.API_KEY)


async def test_an_unknown_token_is_nobody() -> None:
    """A stranger's token is no principal, whatever characters it has."""
    keys = make_keys(script="fake-admin-key")

    assert [await keys.authenticate(token) for token in ("fake-admin-ke", "", "\U0001f600", "\udc80")] == [None] * 4


async def test_the_first_authenticator_that_knows_a_token_answers() -> None:
    """Several authenticators are asked in turn."""
    both = AuthenticatorSequence([make_keys(one="fake-admin-key-1"), make_keys(two="fake-admin-key-2")])

    principals = [await both.authenticate(f"fake-admin-key-{number}") for number in (1, 2, 3)]

    assert [principal and principal.name for principal in principals] == ["one", "two", None]
