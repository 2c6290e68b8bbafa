"""The settings: what the environment may say, and how a mistake in it is told."""

import json
import re
import traceback
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from app.settings import (
    AmbiguityPolicy,
    DataverseAuth,
    DirectoryKind,
    Role,
    Settings,
    SettingsError,
    VipCriterion,
    read_settings,
)

P = "SMARTROUTING_"
SECRET = "fake-hunter2-and-more"
NOWHERE = Path("there-is-no-such-file")
LEAST = {
    f"{P}WEBHOOK__API_KEYS": json.dumps({"enreach": SECRET}),
    f"{P}DATAVERSE__URL": "https://contoso.crm4.dynamics.com/",
    f"{P}DATAVERSE__AUTH": "token",
    f"{P}DATAVERSE__TOKEN": SECRET,
}


def read(variables: dict[str, str], **overrides: Any) -> Settings:
    """Read settings from the least that is accepted and these variables, without a file."""
    return read_settings(
        {"PATH": "/bin", **LEAST, **{P + name: value for name, value in variables.items()}},
        env_file=NOWHERE,
        **overrides,
    )


def test_defaults_are_the_documented_ones() -> None:
    """What is not set has the value the settings table promises."""
    settings = read({})

    assert (settings.host, settings.port, settings.demo) == ("127.0.0.1", 8000, False)
    assert (settings.webhook.deadline_ms, settings.webhook.allowed_networks) == (1500, ())
    assert settings.phone.default_region == "FI"
    assert settings.dataverse.directory is DirectoryKind.LIVE
    assert settings.dataverse.contact_phone_columns == ("mobilephone", "telephone1", "telephone2")
    assert settings.dataverse.account_phone_columns == ("telephone1", "telephone2")
    assert settings.vip.criteria == (
        VipCriterion(table="account", column="accountcategorycode", op="is", value=1, label="is a preferred customer"),
    )
    assert (settings.vip.account_depth, settings.vip.ambiguous) == (2, AmbiguityPolicy.ANY)
    assert (settings.enreach.url, settings.rules.file, settings.response.no_change_status) == (None, None, 204)
    assert settings.store.url.startswith("sqlite:///data/")


def test_groups_lists_and_objects_are_read_from_json() -> None:
    """Nested names reach the groups, and structured values are JSON."""
    settings = read(
        {
            "WEBHOOK__ALLOWED_NETWORKS": '["80.88.186.0/24", "2001:db8::1"]',
            "WEBHOOK__DEADLINE_MS": "900",
            "DATAVERSE__DIRECTORY": "mirror",
            "VIP__CRITERIA": '[{"table": "contact", "column": "new_vip", "op": "in", "value": [1, 2]}]',
            "ADMIN__API_KEYS": json.dumps({"script": {"key": SECRET, "role": "Voice ApiUser"}}),
            "RESPONSE__FIELDS": '{"priority": {"key": "Priority", "shape": "number"}}',
        }
    )

    assert settings.webhook.allowed_networks == (ip_network("80.88.186.0/24"), ip_network("2001:db8::1/128"))
    assert settings.webhook.deadline_ms == 900
    assert settings.dataverse.directory is DirectoryKind.MIRROR
    assert settings.vip.criteria == (VipCriterion(table="contact", column="new_vip", op="in", value=(1, 2)),)
    assert settings.admin.api_keys["script"].role is Role.VOICE_API_USER
    assert settings.response.fields["priority"].key == "Priority"


def test_names_are_read_in_any_case_and_empty_values_are_absent() -> None:
    """Compose files pass empty variables on, and some shells prefer lower case."""
    settings = read_settings(LEAST | {"smartrouting_port": "9000", f"{P}HOST": ""}, env_file=NOWHERE)

    assert (settings.port, settings.host) == (9000, "127.0.0.1")


def test_the_environment_wins_over_the_file_name_by_name(tmp_path: Path) -> None:
    """Both may hold parts of one group; names of other programs in the file are ignored."""
    env_file = tmp_path / ".env"
    env_file.write_text(
        f"# comment\nPOSTGRES_PASSWORD={SECRET}\nexport {P}PORT=9001\n"
        f"{P}WEBHOOK__DEADLINE_MS=700\n{P}WEBHOOK__MAX_BODY_BYTES=2048\n"
    )

    settings = read_settings(LEAST | {f"{P}WEBHOOK__DEADLINE_MS": "800"}, env_file=env_file)

    assert (settings.port, settings.webhook.deadline_ms, settings.webhook.max_body_bytes) == (9001, 800, 2048)
    assert list(settings.webhook.api_keys) == ["enreach"]


def test_overrides_win_and_leave_the_rest_of_a_group() -> None:
    """The command line may set single values on top."""
    settings = read({"WEBHOOK__DEADLINE_MS": "800"}, port=9002, webhook={"max_body_bytes": 2048})

    assert (settings.port, settings.webhook.deadline_ms, settings.webhook.max_body_bytes) == (9002, 800, 2048)


def test_settings_made_directly_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the one reader looks at the environment."""
    monkeypatch.setenv(f"{P}PORT", "9003")

    assert Settings(demo=True).port == 8000


def test_the_demo_needs_nothing() -> None:
    """In the demo everything has a default."""
    settings = read_settings({f"{P}DEMO": "1"}, env_file=NOWHERE)

    assert (settings.demo, settings.dataverse.url, settings.webhook.api_keys) == (True, None, {})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001", "http://localhost:8001", "http://[::1]:8001"])
def test_plain_http_is_accepted_on_this_machine(url: str) -> None:
    """An emulator beside the service needs no certificate."""
    assert read({"DATAVERSE__URL": url + "/"}).dataverse.url == url


@pytest.mark.parametrize(
    "variables",
    [
        {"AUTH": "client_secret", "TENANT_ID": "t", "CLIENT_ID": "c", "CLIENT_SECRET": SECRET},
        {"AUTH": "certificate", "TENANT_ID": "t", "CLIENT_ID": "c", "CERTIFICATE_PATH": "cert.pem"},
        {"AUTH": "managed_identity"},
        {"AUTH": "token", "TOKEN": SECRET},
    ],
    ids=lambda variables: variables["AUTH"],
)
def test_every_way_to_authenticate_is_complete_with_its_own_settings(variables: dict[str, str]) -> None:
    """Each mode asks for what it needs and for nothing of another."""
    settings = read({f"DATAVERSE__{name}": value for name, value in variables.items()})

    assert settings.dataverse.auth is DataverseAuth(variables["AUTH"])


REFUSALS = {
    "unknown-top": ({"PROT": "1"}, "PROT: unknown setting; did you mean SMARTROUTING_PORT?"),
    "unknown-group": ({"QUUX__ZYX": "1"}, "QUUX__ZYX: unknown setting; `smartrouting settings` lists them"),
    "unknown-in-group": (
        {"WEBHOOK__API_KEYZ": f'{{"a": "{SECRET}"}}'},
        "WEBHOOK__API_KEYZ: unknown setting; did you mean SMARTROUTING_WEBHOOK__API_KEYS?",
    ),
    "one-underscore": (
        {"WEBHOOK_API_KEYS": SECRET},
        "WEBHOOK_API_KEYS: unknown setting; did you mean SMARTROUTING_WEBHOOK__API_KEYS?",
    ),
    "below-a-plain-value": ({"PORT__X": "1"}, "PORT__X: unknown setting; did you mean SMARTROUTING_PORT?"),
    "unknown-in-json": (
        {"ADMIN__API_KEYS": json.dumps({"a": {"key": SECRET, "role": "Voice Admin User", "roll": SECRET}})},
        "ADMIN__API_KEYS at a.roll: unknown setting; `smartrouting settings` lists them",
    ),
    "not-json": (
        {"WEBHOOK__API_KEYS": f'{{"a": "{SECRET}"'},
        "WEBHOOK__API_KEYS: is not valid JSON from line 1, column 30",
    ),
    "bare-text": (
        {"WEBHOOK__ALLOWED_NETWORKS": SECRET},
        "WEBHOOK__ALLOWED_NETWORKS: is not valid JSON from line 1, column 1",
    ),
    "group-not-json": ({"WEBHOOK": SECRET}, "WEBHOOK: is not valid JSON from line 1, column 1"),
    "wrong-shape": ({"WEBHOOK__API_KEYS": f'["{SECRET}"]'}, "WEBHOOK__API_KEYS: must be an object"),
    "not-a-number": (
        {"WEBHOOK__DEADLINE_MS": SECRET},
        "WEBHOOK__DEADLINE_MS: must be a whole number",
    ),
    "too-late": ({"WEBHOOK__DEADLINE_MS": "5000"}, "WEBHOOK__DEADLINE_MS: must be at most 4900"),
    "empty-key": (
        {"WEBHOOK__API_KEYS": '{"a": " "}'},
        "WEBHOOK__API_KEYS: every label and every secret needs at least one character",
    ),
    "placeholder": (
        {"WEBHOOK__API_KEYS": '{"a": "<a long random key>"}'},
        "WEBHOOK__API_KEYS: a secret still reads like `<…>`: put a long random one in its place",
    ),
    "admin-placeholder": (
        {"ADMIN__API_KEYS": '{"a": {"key": "<another long key>", "role": "Voice Admin User"}}'},
        "ADMIN__API_KEYS: a secret still reads like `<…>`: put a long random one in its place",
    ),
    "shared-key": (
        {"WEBHOOK__API_KEYS": json.dumps({"a": SECRET, "b": SECRET})},
        "WEBHOOK__API_KEYS: two labels have the same secret",
    ),
    "shared-label": (
        {"WEBHOOK__BASIC_USERS": json.dumps({"enreach": SECRET})},
        "WEBHOOK: enreach labels both an API key and a Basic user; reports could not tell them",
    ),
    "colon": (
        {"WEBHOOK__BASIC_USERS": json.dumps({"a:b": SECRET})},
        "WEBHOOK__BASIC_USERS: HTTP Basic knows no user with a colon in the name (RFC 7617, section 2)",
    ),
    "not-a-network": (
        {"WEBHOOK__ALLOWED_NETWORKS": '["80.88.186.7/24"]'},
        "WEBHOOK__ALLOWED_NETWORKS at 0: is not a network; write it like 80.88.186.0/24, with the host part zero",
    ),
    "plain-http": (
        {"DATAVERSE__URL": "http://contoso.crm4.dynamics.com"},
        "DATAVERSE__URL: must start with https:// (http:// for loopback only)",
    ),
    "almost-loopback": (
        {"DATAVERSE__URL": "http://127.0.0.1.example.com"},
        "DATAVERSE__URL: must start with https:// (http:// for loopback only)",
    ),
    "almost-localhost": (
        {"ENREACH__URL": "http://localhost.example.com"},
        "ENREACH__URL: must start with https:// (http:// for loopback only)",
    ),
    "credentials-in-url": (
        {"DATAVERSE__URL": f"https://user:{SECRET}@contoso.crm4.dynamics.com"},
        "DATAVERSE__URL: must be a plain URL, without credentials, query or fragment",
    ),
    "not-a-url": ({"DATAVERSE__AUTHORITY": "https://[::1"}, "DATAVERSE__AUTHORITY: is not a URL"),
    "authority-without-tls": (
        {"DATAVERSE__AUTHORITY": "http://127.0.0.1:8001"},
        "DATAVERSE__AUTHORITY: must start with https://, on this machine too: tokens are asked for in no other way",
    ),
    "incomplete-secret": (
        {"DATAVERSE__AUTH": "client_secret", "DATAVERSE__CLIENT_ID": "c"},
        (
            "DATAVERSE: auth=client_secret with a URL needs SMARTROUTING_DATAVERSE__TENANT_ID, "
            "SMARTROUTING_DATAVERSE__CLIENT_SECRET"
        ),
    ),
    "no-token": (
        {"DATAVERSE__TOKEN": ""},
        "DATAVERSE: auth=token with a URL needs SMARTROUTING_DATAVERSE__TOKEN",
    ),
    "short-admin-key": (
        {"ADMIN__API_KEYS": '{"a": {"key": "fake", "role": "Voice Admin User"}}'},
        "ADMIN__API_KEYS at a.key: a key needs at least 8 characters",
    ),
    "unknown-role": (
        {"ADMIN__API_KEYS": json.dumps({"a": {"key": SECRET, "role": "boss"}})},
        "ADMIN__API_KEYS at a.role: must be 'Voice Admin User', 'Voice ApiUser' or 'Voice User'",
    ),
    "issuer-alone": (
        {"ADMIN__OIDC_ISSUER": "https://issuer.example.com"},
        "ADMIN: an issuer needs SMARTROUTING_ADMIN__OIDC_AUDIENCE",
    ),
    "enreach-alone": (
        {"ENREACH__URL": "https://api.example.com"},
        "ENREACH: a URL needs SMARTROUTING_ENREACH__USER and SMARTROUTING_ENREACH__SECRET",
    ),
    "other-database": (
        {"STORE__URL": f"mysql://user:{SECRET}@host/database"},
        "STORE__URL: must match ^(sqlite:///.+|postgresql://.+)$",
    ),
    "template-without-place": (
        {"RESPONSE__TARGETS": '{"queue": "q"}'},
        "RESPONSE__TARGETS: the template of queue must contain {id} once",
    ),
}


@pytest.mark.parametrize(("variables", "line"), REFUSALS.values(), ids=REFUSALS)
def test_a_mistake_is_one_line_that_names_the_variable(variables: dict[str, str], line: str) -> None:
    """Neither the line nor the traceback behind it repeats a secret."""
    with pytest.raises(SettingsError) as refused:
        read(variables)

    assert str(refused.value) == P + line
    assert SECRET not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        pytest.param(
            {},
            "set SMARTROUTING_WEBHOOK__API_KEYS or SMARTROUTING_WEBHOOK__BASIC_USERS: nobody could call the webhook",
            id="nothing",
        ),
        pytest.param(
            {f"{P}WEBHOOK__API_KEYS": LEAST[f"{P}WEBHOOK__API_KEYS"]},
            "set SMARTROUTING_DATAVERSE__URL, or SMARTROUTING_DEMO=1 for the embedded emulator",
            id="no-dataverse",
        ),
        pytest.param(
            LEAST | {f"{P}WEBHOOK__API_KEYS": '{"queue": "fake-short-key"}', f"{P}WEBHOOK__BASIC_USERS": '{"a": "b"}'},
            "SMARTROUTING_WEBHOOK__API_KEYS.queue, SMARTROUTING_WEBHOOK__BASIC_USERS.a: "
            "a webhook secret needs at least 16 characters (openssl rand -hex 16)",
            id="short-secrets",
        ),
        pytest.param(
            LEAST | {f"{P}DATAVERSE__EMULATOR_DATA": "tables.json"},
            "SMARTROUTING_DATAVERSE__EMULATOR_DATA is for SMARTROUTING_DEMO=1 only",
            id="emulator-in-earnest",
        ),
        pytest.param(
            {f"{P}DEMO": "1", f"{P}HOST": "0.0.0.0"},  # noqa: S104 - what must be refused
            "SMARTROUTING_DEMO listens on loopback only; unset SMARTROUTING_HOST",
            id="public-demo",
        ),
    ],
)
def test_half_a_deployment_is_refused(variables: dict[str, str], line: str) -> None:
    """What cannot work, or must not be public, does not start."""
    with pytest.raises(SettingsError, match=f"^{re.escape(line)}$"):
        read_settings(variables, env_file=NOWHERE)


def test_several_mistakes_are_several_lines() -> None:
    """Everything that is wrong is told at once."""
    with pytest.raises(SettingsError) as refused:
        read({"PORT": "x", "PHONE__DEFAULT_REGION": "Finland"})

    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        f"{P}PORT",
        f"{P}PHONE__DEFAULT_REGION",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(f"{P}PORT=1\n'{SECRET}\n".encode(), "line 2 is not NAME=value", id="broken-line"),
        pytest.param(b"\xff\xfe\x00", "cannot be read as text", id="not-text"),
        pytest.param(None, "cannot be read as text", id="a-folder"),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(tmp_path: Path, content: bytes | None, line: str) -> None:
    """A file that cannot be read stops the start instead of being half read."""
    env_file = tmp_path / ".env"
    if content is None:
        env_file.mkdir()
    else:
        env_file.write_bytes(content)

    with pytest.raises(SettingsError) as refused:
        read_settings(LEAST, env_file=env_file)

    assert str(refused.value) == f"{env_file}: {line}"


def test_a_mistake_in_the_file_names_its_variable(tmp_path: Path) -> None:
    """The file is checked as the environment is."""
    env_file = tmp_path / ".env"
    env_file.write_text(f"{P}PROT=1\n")

    with pytest.raises(SettingsError, match=r"^SMARTROUTING_PROT: unknown setting; did you mean SMARTROUTING_PORT\?$"):
        read_settings(LEAST, env_file=env_file)


def test_dollars_in_the_file_are_part_of_a_value(tmp_path: Path) -> None:
    """A secret never becomes another one because it looks like a reference."""
    env_file = tmp_path / ".env"
    env_file.write_text(f"NAME=other\n{P}ENREACH__SECRET=a$NAME-${{NAME}}\n{P}ENREACH__USER=api@example.com\n")

    settings = read_settings(LEAST | {f"{P}ENREACH__URL": "https://api.example.com"}, env_file=env_file)

    assert settings.enreach.secret is not None
    assert settings.enreach.secret.get_secret_value() == "a$NAME-${NAME}"


def test_secrets_are_read_from_files(tmp_path: Path) -> None:
    """Files named like variables hold their values; variables win, and other files are not looked at."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / f"{P}DATAVERSE__TOKEN").write_text("of-the-file $X 'y'\n")
    (secrets / f"{P}WEBHOOK__API_KEYS").write_text(json.dumps({"file": SECRET}))
    (secrets / f"{P}STORE__URL").write_text("\n")
    (secrets / "POSTGRES_PASSWORD").write_bytes(b"\xff")
    (secrets / "..data").mkdir()
    env_file = tmp_path / ".env"
    env_file.write_text(f"{P}SECRETS_DIR={secrets}\n{P}WEBHOOK__API_KEYS={json.dumps({'variable': SECRET})}\n")

    others = {name: LEAST[name] for name in (f"{P}DATAVERSE__URL", f"{P}DATAVERSE__AUTH")}
    settings = read_settings(others, env_file=env_file)

    assert settings.dataverse.token is not None
    assert settings.dataverse.token.get_secret_value() == "of-the-file $X 'y'"
    assert list(settings.webhook.api_keys) == ["variable"]
    assert settings.store.url == "sqlite:///data/smartrouting.db"


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        pytest.param(
            None, b"", "SECRETS_DIR: {folder} is no folder that can be read: No such file or directory", id="missing"
        ),
        pytest.param("PROT", b"1", f"PROT: unknown setting; did you mean {P}PORT?", id="unknown"),
        pytest.param(
            "STORE__URL", b"\xff", f"{{folder}}/{P}STORE__URL: cannot be read as text by this user", id="not-text"
        ),
        pytest.param(
            "WEBHOOK__API_KEYS", b"{secret", "WEBHOOK__API_KEYS: is not valid JSON from line 1, column 2", id="no-json"
        ),
    ],
)
def test_a_file_of_a_secret_is_checked_as_a_variable_is(
    tmp_path: Path, name: str | None, content: bytes, line: str
) -> None:
    """What cannot be read stops the start with a line that names it and shows nothing of it."""
    folder = tmp_path / "secrets"
    if name is not None:
        folder.mkdir()
        (folder / f"{P}{name}").write_bytes(content)
    least = {variable: value for variable, value in LEAST.items() if variable != f"{P}{name}"}
    expected = line.format(folder=folder) if line.startswith("{folder}") else P + line.format(folder=folder)

    with pytest.raises(SettingsError, match=f"^{re.escape(expected)}$"):
        read_settings({**least, f"{P}SECRETS_DIR": str(folder)}, env_file=NOWHERE)


def test_secrets_are_not_shown() -> None:
    """Printing the settings, for a bug report, shows no secret."""
    settings = read({"ADMIN__API_KEYS": json.dumps({"a": {"key": SECRET + "2", "role": "Voice Admin User"}})})

    assert SECRET not in repr(settings) + str(settings.model_dump())


@pytest.mark.parametrize("spelling", ["Admin", "admin", "voice_admin_user", "AdminUser"])
def test_a_role_is_one_of_the_three(spelling: str) -> None:
    """A role goes by its name in the guide, here as everywhere."""
    with pytest.raises(SettingsError, match="must be 'Voice Admin User', 'Voice ApiUser' or 'Voice User'"):
        read({"ADMIN__API_KEYS": json.dumps({"a": {"key": SECRET, "role": spelling}})})
