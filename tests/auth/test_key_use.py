"""The memory of when each webhook credential was last used."""

from app.auth.key_use import KeyUse


def test_changes_are_handed_out_once() -> None:
    """A store persists each change once, and only the latest use of a label."""
    use = KeyUse({"old": 10.0})
    use.touch("new", 20.0)
    use.touch("new", 21.0)

    taken = [use.take_changes(), use.take_changes()]

    assert taken == [{"new": 21.0}, {}]


def test_last_used_covers_what_was_persisted_and_what_was_not() -> None:
    """The view for metrics and endpoints is complete at any moment."""
    use = KeyUse({"old": 10.0, "new": 11.0})
    use.touch("new", 20.0)
    before = use.last_used
    use.take_changes()

    assert before == use.last_used == {"old": 10.0, "new": 20.0}
