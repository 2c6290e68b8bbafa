"""Access to the webhook: networks, API keys and HTTP Basic, judged from the head of a request; when keys are used."""

import time
import tracemalloc
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.guessing import GuessBrake
from app.auth.webhook import Admitted, CredentialKind, KeyUse, Refused, WebhookAccess
from app.settings import WebhookSettings

KEY_HEADER = b"x-benemen-apikey"
KEYS = {"old": "fake-key-of-last-year", "new": "fake-key-of-this-year"}
USERS = {"enreach": "fake-password", "käyttäjä": "salasana-ä"}
VENDOR_NETWORKS = ["80.88.186.0/24", "80.88.187.0/24"]


def make_access(**settings: object) -> WebhookAccess:
    """Make one with two keys and two users."""
    wanted = WebhookSettings.model_validate({"api_keys": KEYS, "basic_users": USERS, **settings})
    return WebhookAccess(wanted, brake=GuessBrake(monotonic=time.monotonic))


def basic(user: str, password: str, encoding: str = "utf-8") -> tuple[bytes, bytes]:
    """Spell an Authorization header of HTTP Basic."""
    return (b"authorization", b"Basic " + b64encode(f"{user}:{password}".encode(encoding)))


@pytest.mark.parametrize("label", ["old", "new"])
def test_every_key_admits_under_its_label(label: str) -> None:
    """Two keys work at once, so that one can replace the other without a lost call."""
    admitted = make_access().admit([(b"host", b"here"), (KEY_HEADER, KEYS[label].encode())], "192.0.2.1")

    assert admitted == Admitted(label, CredentialKind.API_KEY)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(basic("enreach", "fake-password"), id="plain"),
        pytest.param((b"authorization", b"bAsIc  " + b64encode(b"enreach:fake-password") + b" "), id="case-and-space"),
    ],
)
def test_basic_admits_under_the_users_name(header: tuple[bytes, bytes]) -> None:
    """HTTP Basic is accepted with any case of the scheme."""
    assert make_access().admit([header], None) == Admitted("enreach", CredentialKind.BASIC)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_basic_users_beyond_ascii_match_in_both_encodings(encoding: str) -> None:
    """Clients disagree on the encoding of Basic, so both usual ones are accepted."""
    admitted = make_access().admit([basic("käyttäjä", "salasana-ä", encoding)], None)

    assert admitted == Admitted("käyttäjä", CredentialKind.BASIC)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(KEY_HEADER, b"nonsense")], id="wrong-key"),
        pytest.param([(KEY_HEADER, b"")], id="empty-key"),
        pytest.param([(KEY_HEADER, b"fake-key-of-last-yea")], id="key-prefix"),
        pytest.param([(KEY_HEADER, b"fake-key-of-last-year2")], id="key-and-more"),
        pytest.param([(KEY_HEADER, "fäke".encode())], id="not-ascii"),
        pytest.param([(KEY_HEADER, b"\xff\xfe\x00")], id="not-text"),
        pytest.param([(KEY_HEADER, b"x" * 1_000_000)], id="huge"),
        pytest.param([basic("enreach", "wrong")], id="wrong-password"),
        pytest.param([basic("nobody", "fake-password")], id="wrong-user"),
        pytest.param([(b"authorization", b"Basic not*base64")], id="not-base64"),
        pytest.param([(b"authorization", b"Basic")], id="nothing-after-scheme"),
        pytest.param([(b"authorization", b"Bearer fake-key-of-last-year")], id="other-scheme"),
        pytest.param([(b"authorization", b"Digest " + basic("enreach", "fake-password")[1][6:])], id="under-digest"),
        pytest.param([(b"authorization", b"Bearer " + basic("enreach", "fake-password")[1][6:])], id="under-bearer"),
        pytest.param([(b"authorization", b" " + basic("enreach", "fake-password")[1][6:])], id="under-no-scheme"),
    ],
)
def test_wrong_credentials_are_refused_with_a_challenge(headers: list[tuple[bytes, bytes]]) -> None:
    """Whatever is not a known credential is a 401 that names the scheme to use."""
    assert make_access().admit(headers, None) == Refused(
        401,
        "wrong-credential",
        "The credential is not one this service knows.",
        (("WWW-Authenticate", 'Basic realm="smartrouting", charset="UTF-8"'),),
    )


def test_no_credential_is_told_from_a_wrong_one() -> None:
    """A request without any credential is told which ones there are."""
    refused = make_access(basic_users={}).admit([(b"host", b"here")], None)

    assert refused == Refused(
        401,
        "missing-credential",
        "Send X-Benemen-APIKey or HTTP Basic.",
        (("WWW-Authenticate", 'ApiKey realm="smartrouting"'),),
    )


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(KEY_HEADER, KEYS["new"].encode()), basic("enreach", "wrong")], id="key-and-wrong-basic"),
        pytest.param([basic("enreach", "wrong"), (KEY_HEADER, KEYS["new"].encode())], id="wrong-basic-and-key"),
        pytest.param([(KEY_HEADER, b"wrong"), (KEY_HEADER, KEYS["new"].encode())], id="wrong-key-and-key"),
        pytest.param([(KEY_HEADER, KEYS["new"].encode()), (KEY_HEADER, KEYS["old"].encode())], id="two-keys"),
    ],
)
def test_one_valid_credential_of_several_is_enough(headers: list[tuple[bytes, bytes]]) -> None:
    """A contradictory header does not cost a call its answer; the first valid credential gives the label."""
    assert make_access().admit(headers, None) == Admitted("new", CredentialKind.API_KEY)


def test_access_without_credentials_admits_nobody() -> None:
    """No configured credential means nobody, not anybody."""
    refused = make_access(api_keys={}, basic_users={}).admit([(KEY_HEADER, b"")], None)

    assert isinstance(refused, Refused)


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        pytest.param("80.88.186.7", [], id="direct"),
        pytest.param("::ffff:80.88.186.7", [], id="ipv4-mapped"),
        pytest.param("10.0.0.1", [b"80.88.187.9"], id="one-proxy"),
        pytest.param("10.0.0.1", [b"80.88.187.9:51000"], id="with-port"),
        pytest.param("::ffff:10.0.0.1", [b"[::ffff:80.88.187.9]:51000"], id="mapped-with-port"),
        pytest.param("10.0.0.1", [b"6.6.6.6, 80.88.187.9, 10.9.9.9"], id="two-proxies"),
        pytest.param("10.0.0.1", [b"garbage", b"80.88.187.9,", b"10.9.9.9"], id="several-headers"),
        pytest.param("fd00::1%eth0", [b"80.88.187.9"], id="ipv6-proxy-with-zone"),
        pytest.param("80.88.186.7", [b"6.6.6.6"], id="untrusted-header-is-not-read"),
    ],
)
def test_allowed_networks_are_recognised_through_trusted_proxies(peer: str, forwarded: list[bytes]) -> None:
    """The client's address is the first one, from the right, that no trusted proxy stands at."""
    access = make_access(allowed_networks=VENDOR_NETWORKS, trusted_proxies=["10.0.0.0/8", "fd00::/8"])
    headers = [*((b"x-forwarded-for", value) for value in forwarded), (KEY_HEADER, KEYS["new"].encode())]

    assert access.admit(headers, peer) == Admitted("new", CredentialKind.API_KEY)


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        pytest.param("6.6.6.6", [], id="elsewhere"),
        pytest.param("6.6.6.6", [b"80.88.186.7"], id="forged-by-a-stranger"),
        pytest.param("10.0.0.1", [b"80.88.186.7, 6.6.6.6"], id="forged-behind-the-proxy"),
        pytest.param("10.0.0.1", [], id="proxy-itself"),
        pytest.param("10.0.0.1", [b"80.88.186.7, unknown"], id="malformed-hop"),
        pytest.param("10.0.0.1", [b"80.88.186.007"], id="leading-zeros"),
        pytest.param("10.0.0.1", [b"\xff\xfe"], id="not-text"),
        pytest.param("10.0.0.1", [b"80.88.186.7" + b",10.0.0.2" * 5000 + b",x"], id="endless"),
        pytest.param("not an address", [], id="odd-peer"),
        pytest.param(None, [b"80.88.186.7"], id="no-peer"),
    ],
)
def test_other_networks_are_refused_whatever_they_know(peer: str | None, forwarded: list[bytes]) -> None:
    """The network comes first: a valid key from elsewhere is 403, as a wrong one is; asking again does not help."""
    access = make_access(allowed_networks=VENDOR_NETWORKS, trusted_proxies=["10.0.0.0/8"])
    headers = [*((b"x-forwarded-for", value) for value in forwarded), (KEY_HEADER, KEYS["new"].encode())]

    refusals = [access.admit(headers, peer), access.admit(headers[:-1], peer)]

    assert refusals == [Refused(403, "wrong-network", "Requests from this network are not accepted.")] * 2


def test_networks_may_be_written_as_mapped_ipv6() -> None:
    """A list that spells IPv4 networks as IPv6 means the same networks."""
    access = make_access(allowed_networks=["::ffff:80.88.186.0/120"])

    admitted = access.admit([(KEY_HEADER, KEYS["new"].encode())], "80.88.186.200")

    assert admitted == Admitted("new", CredentialKind.API_KEY)


def test_many_sources_do_not_grow_memory() -> None:
    """The memory of judged sources is bounded in bytes, however long the headers are that strangers send."""
    access = make_access(allowed_networks=VENDOR_NETWORKS, trusted_proxies=["10.0.0.0/8"])
    tracemalloc.start()

    for number in range(2000):
        address = f"6.6.{number // 250}.{number % 250}"
        access.admit([(b"x-forwarded-for", b"10.0.0.1, " * 1000 + address.encode())], "10.0.0.2")
        access.admit([(b"x-forwarded-for", address.encode())], "10.0.0.2")

    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000


@given(st.lists(st.tuples(st.sampled_from([KEY_HEADER, b"authorization", b"x-forwarded-for"]), st.binary())), st.text())
def test_no_header_makes_it_raise(headers: list[tuple[bytes, bytes]], peer: str) -> None:
    """Any bytes in any of the headers end in a refusal."""
    access = make_access(allowed_networks=VENDOR_NETWORKS, trusted_proxies=["0.0.0.0/0"])

    assert isinstance(access.admit(headers, peer), Refused)
    assert isinstance(make_access().admit(headers, peer), Refused)


def test_changes_are_handed_out_once() -> None:
    """A store persists each change once, and only the latest use of a label."""
    use = KeyUse()
    use.remember({"old": 10.0})
    use.touch("new", 20.0)
    use.touch("new", 21.0)

    taken = [use.take_changes(), use.take_changes()]

    assert taken == [{"new": 21.0}, {}]


def test_last_used_covers_what_was_persisted_and_what_was_not() -> None:
    """The view for metrics and endpoints is complete at any moment."""
    use = KeyUse()
    use.remember({"old": 10.0, "new": 11.0})
    use.touch("new", 20.0)
    before = use.last_used
    use.take_changes()

    assert before == use.last_used == {"old": 10.0, "new": 20.0}
