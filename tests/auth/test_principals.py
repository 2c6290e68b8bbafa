"""The table of roles and permissions."""

from app.auth.principals import PERMISSIONS, Permission, Principal, PrincipalKind, Role, weakest_role


def test_the_administrator_may_do_everything_others_may() -> None:
    """Voice Admin User includes Voice ApiUser and Voice User."""
    administrator = PERMISSIONS[Role.VOICE_ADMIN_USER]

    assert administrator == frozenset(Permission)


def test_a_program_reads_and_simulates_and_changes_nothing() -> None:
    """Voice ApiUser has reading permissions and the simulator only, and sees no full number."""
    program = Principal("script", Role.VOICE_API_USER, PrincipalKind.API_KEY)

    assert {permission for permission in Permission if program.may(permission)} == {
        Permission.READ_DECISIONS,
        Permission.READ_RULES,
        Permission.READ_STATUS,
        Permission.READ_USERS,
        Permission.SIMULATE,
    }


def test_an_end_user_sees_only_themselves() -> None:
    """Voice User has one permission."""
    assert PERMISSIONS[Role.VOICE_USER] == {Permission.READ_OWN_READINESS}


def test_the_weakest_sufficient_role_is_named() -> None:
    """What to ask for is the least that suffices."""
    named = [weakest_role(p) for p in (Permission.READ_OWN_READINESS, Permission.SIMULATE, Permission.EDIT_RULES)]

    assert named == [Role.VOICE_USER, Role.VOICE_API_USER, Role.VOICE_ADMIN_USER]
