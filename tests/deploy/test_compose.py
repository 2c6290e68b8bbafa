"""Whether `compose.yaml` and what lies in `deploy/compose` fit the service and the document about them."""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from dotenv import dotenv_values

from app.settings import read_settings
from tests.deploy.project import ROOT, run_example
from tests.support.console import Console
from tests.support.service import WEBHOOK_KEY

EXAMPLE = ROOT / "deploy/compose/example.env"
CALL = {"anum": "+358501234567", "bnum": "+358912345678"}


def read_compose() -> Any:
    """Read the file as YAML; what is between `${` and `}` stays."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def read_as_docker_run(text: str) -> dict[str, str]:
    """Read lines as `docker run --env-file` does: everything behind the first `=` is the value."""
    lines = [line.lstrip() for line in text.splitlines()]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def read_as_compose(text: str) -> dict[str, str]:
    """Read lines as Compose does, as far as an unquoted value goes; anything else is refused.

    Compose takes ` #` for a comment, `$` for a reference, and quotes around a value, and backslashes within them, away.
    """
    values = read_as_docker_run(text)
    assert {name: value for name, value in values.items() if re.search(r"^['\"]|[$\\]|\s#|^\s|\s$", value)} == {}
    return values


def test_the_example_of_settings_is_read_alike_by_all_three() -> None:
    """Compose, `docker run --env-file`, python-dotenv and the service find the same values."""
    text = EXAMPLE.read_text(encoding="utf-8")
    values = read_as_docker_run(text)

    assert read_as_compose(text) == values
    assert dotenv_values(EXAMPLE, interpolate=True) == values
    secrets = {
        "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"enreach": WEBHOOK_KEY}),
        "SMARTROUTING_DATAVERSE__CLIENT_SECRET": "fake-secret",
    }
    assert read_settings({**values, **secrets}) == read_settings(secrets, env_file=EXAMPLE)


def test_the_table_of_values_is_true_of_docker_run_and_of_the_service(tmp_path: Path) -> None:
    """What the document says that they make of a line is what they do; Compose is not asked."""
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(A=.*?)` \| .*? \| `(.*?)` \| `(.*?)` \|$", text, re.MULTILINE)
    file = tmp_path / ".env"
    found = []
    for line, _, _ in rows:
        file.write_text(line.replace("A=", "SMARTROUTING_ENREACH__USER="), encoding="utf-8")
        variables = {"SMARTROUTING_DEMO": "1", "SMARTROUTING_ENREACH__SECRET": "fake"}
        found.append((line, read_as_docker_run(line)["A"], read_settings(variables, env_file=file).enreach.user))

    assert found == rows
    assert len(rows) == 4


def test_every_variable_of_the_file_is_in_the_example_or_has_a_default() -> None:
    """What Compose puts in from `.env` is named there."""
    named = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text(encoding="utf-8")))

    assert named == {"BASE", "SITE_ADDRESS"} <= read_as_docker_run(EXAMPLE.read_text(encoding="utf-8")).keys()


def test_every_service_survives_a_reboot_and_is_bounded() -> None:
    """Each of them is restarted, has limits of memory and log, and waits for no other one to start."""
    services = read_compose()["services"]

    assert {
        name: (each["restart"], "mem_limit" in each, each["logging"]["options"], "depends_on" in each)
        for name, each in services.items()
    } == {
        name: ("unless-stopped", True, {"max-size": "10m", "max-file": "5"}, False)
        for name in ("proxy", "smartrouting", "database")
    }


def test_the_proxy_is_the_one_that_is_believed() -> None:
    """Its fixed address, which nobody else is given, is the trusted proxy of the service; both are in one network."""
    compose = read_compose()
    service = compose["services"]["smartrouting"]
    address = compose["services"]["proxy"]["networks"]["front"]["ipv4_address"]

    assert json.loads(service["environment"]["SMARTROUTING_WEBHOOK__TRUSTED_PROXIES"]) == [address]
    [front] = compose["networks"]["front"]["ipam"]["config"]
    assert ip_address(address) in ip_network(front["subnet"])
    assert ip_address(address) not in ip_network(front["ip_range"])
    assert ip_network(front["ip_range"]).subnet_of(ip_network(front["subnet"]))
    assert "front" in service["networks"]
    assert compose["networks"]["back"] == {"internal": True}


def test_every_secret_is_a_file_and_leads_to_a_setting(tmp_path: Path) -> None:
    """The files that the document makes are those of Compose, and with the example they are a whole deployment."""
    compose = read_compose()
    run_example(tmp_path, "secrets of compose")
    files = {f"./secrets/{file.name}": file.stat().st_mode & 0o777 for file in (tmp_path / "secrets").iterdir()}

    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    # The folder keeps others of the machine out; within containers the files are read by users of theirs.
    assert files == {secret["file"]: 0o644 for secret in compose["secrets"].values()}
    for_service = set(compose["services"]["smartrouting"]["secrets"])
    assert {name for name in compose["secrets"] if name.startswith("SMARTROUTING_")} == for_service
    password = (tmp_path / "secrets/POSTGRES_PASSWORD").read_text(encoding="utf-8")
    environment = compose["services"]["smartrouting"]["environment"]
    settings = read_settings({**environment, "SMARTROUTING_SECRETS_DIR": str(tmp_path / "secrets")}, env_file=EXAMPLE)
    assert settings.store.url == f"postgresql://smartrouting:{password.strip()}@database/smartrouting"
    assert (list(settings.webhook.api_keys), list(settings.admin.api_keys)) == (["enreach"], ["ops"])
    assert settings.dataverse.client_secret is not None


@contextmanager
def run_proxy(folder: Path, service: str) -> Iterator[str]:
    """Run the proxy as Compose does, without TLS, in front of a service; give its URL."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with subprocess.Popen(  # noqa: S603 - as the image runs it
        ["/usr/bin/env", "caddy", "run", "--config", ROOT / "deploy/compose/Caddyfile", "--adapter", "caddyfile"],
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            **dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder)),
            "SITE_ADDRESS": f"http://127.0.0.1:{port}",
            "SERVICE_ADDRESS": service.removeprefix("http://"),
        },
        stderr=subprocess.PIPE,
        text=True,
    ) as proxy:
        try:
            assert proxy.stderr is not None
            said = []
            for line in proxy.stderr:
                said.append(line)
                if "serving initial configuration" in line:
                    break
            else:
                raise AssertionError("".join(said))
            yield f"http://127.0.0.1:{port}"
        finally:
            proxy.kill()


@pytest.mark.skipif(not shutil.which("caddy"), reason="the proxy is tried where caddy is installed")
def test_the_proxy_tells_who_calls_and_keeps_metrics_inside(console: Console, tmp_path: Path) -> None:
    """An allowed sender is answered, another one refused whatever it claims, and metrics stay inside."""
    settings = {
        "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"queue": WEBHOOK_KEY}),
        "SMARTROUTING_WEBHOOK__ALLOWED_NETWORKS": '["127.0.0.5"]',
        "SMARTROUTING_WEBHOOK__TRUSTED_PROXIES": '["127.0.0.1"]',
    }
    key = {"X-Benemen-APIKey": WEBHOOK_KEY}
    with (
        console.serve_demo(tmp_path, **settings) as (service, _),
        run_proxy(tmp_path, service) as url,
        httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.5")) as allowed,
        httpx.Client(headers={"X-Forwarded-For": "127.0.0.5"}) as other,
    ):
        calls = [client.post(f"{url}/smartrouting", json=CALL, headers=key) for client in (allowed, other)]
        pages = [other.get(f"{url}{path}") for path in ("/health/ready", "/metrics")]

    assert [answer.status_code for answer in (*calls, *pages)] == [200, 403, 200, 404]
