"""Whether the template in `deploy/azure` fits the service, itself and the document about it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.settings import DataverseAuth, read_settings
from tests.deploy.project import ROOT, read_image, read_version, run_example
from tests.support.document import read_document


def read_template() -> Any:
    """Read the template."""
    return json.loads((ROOT / "deploy/azure/template.json").read_text(encoding="utf-8"))


def read_app() -> Any:
    """Read what the template says of the container app."""
    [found] = [each for each in read_template()["resources"] if each["type"] == "Microsoft.App/containerApps"]
    return found["properties"]


@pytest.mark.skipif(not shutil.which("jq"), reason="the lines need jq")
def test_settings_and_parameters_are_a_whole_deployment(tmp_path: Path) -> None:
    """With the secrets that the document makes, the settings of the template are accepted."""
    template, app = read_template(), read_app()
    run_example(tmp_path, "parameters of azure")
    file = tmp_path / "secrets/azure.json"
    given = {name: each["value"] for name, each in json.loads(file.read_text(encoding="utf-8"))["parameters"].items()}
    store = f"postgresql://smartrouting:{given['databasePassword']}@database/smartrouting?sslmode=require"
    secrets = {"webhook-keys": given["webhookKeys"], "admin-keys": given["adminKeys"], "store-url": store}
    plain = {
        "[parameters('dataverseUrl')]": "https://contoso.crm4.dynamics.com",
        "[parameters('timeZone')]": template["parameters"]["timeZone"]["defaultValue"],
        "[reference(variables('identityId'), '2023-01-31').clientId]": "00000000-0000-4000-8000-000000000000",
    }
    [container] = app["template"]["containers"]
    environment = {
        each["name"]: secrets[each["secretRef"]] if "secretRef" in each else plain.get(each["value"], each["value"])
        for each in container["env"]
    }

    settings = read_settings(environment, env_file=tmp_path / ".env")

    assert given.keys() == {name for name, each in template["parameters"].items() if each["type"] == "securestring"}
    assert file.stat().st_mode & 0o777 == 0o600
    # Azure wants three of: small letters, capitals, digits, others.
    assert all(re.search(kind, given["databasePassword"]) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    assert (list(settings.webhook.api_keys), list(settings.admin.api_keys)) == (["enreach"], ["ops"])
    assert settings.dataverse.auth is DataverseAuth.MANAGED_IDENTITY
    assert app["template"]["terminationGracePeriodSeconds"] >= settings.drain_seconds + 25


def test_every_secret_comes_from_the_vault() -> None:
    """What is a secret parameter is kept in Key Vault only, and read from there by name with the identity."""
    template, app = read_template(), read_app()
    kept = {
        re.findall(r"\{0\}/([\w-]+)'", each["name"])[0]: each["properties"]["value"]
        for each in template["resources"]
        if each["type"] == "Microsoft.KeyVault/vaults/secrets"
    }
    read = {
        each["name"]: re.findall(
            r"'Microsoft.KeyVault/vaults/secrets', variables\('unique'\), '([\w-]+)'", each["keyVaultUrl"]
        )
        for each in app["configuration"]["secrets"]
    }
    [container] = app["template"]["containers"]

    assert read == {name: [name] for name in kept}
    assert {each["secretRef"] for each in container["env"] if "secretRef" in each} == kept.keys()
    assert all("secretRef" in each for each in container["env"] if "KEYS" in each["name"] or "STORE" in each["name"])


def test_probes_ports_and_volumes_are_those_of_the_image() -> None:
    """Traffic and probes go to the port that the image listens on, and its volume is there."""
    app = read_app()
    [container] = app["template"]["containers"]
    image = read_image()
    probes = {each["type"]: each["httpGet"] for each in container["probes"]}

    assert app["configuration"]["ingress"]["targetPort"] == image.port
    assert probes == {
        "Startup": {"path": "/health/ready", "port": image.port},
        "Readiness": {"path": "/health/ready", "port": image.port},
        "Liveness": {"path": "/health/live", "port": image.port},
    }
    assert {probe["path"] for probe in probes.values()} <= read_document()["paths"].keys()
    assert [each["mountPath"] for each in container["volumeMounts"]] == [image.volume]
    assert [each["volumeName"] for each in container["volumeMounts"]] == [
        each["name"] for each in app["template"]["volumes"]
    ]


def test_expressions_name_what_there_is() -> None:
    """Every parameter and variable that an expression names is declared, and every declared one is used."""
    template = read_template()
    body = json.dumps({key: template[key] for key in ("variables", "resources", "outputs")})

    assert set(re.findall(r"parameters\('(\w+)'\)", body)) == template["parameters"].keys()
    declared = (template["variables"].keys() - {"copy"}) | {each["name"] for each in template["variables"]["copy"]}
    assert set(re.findall(r"variables\('(\w+)'\)", body)) == declared
    assert template["parameters"]["image"]["defaultValue"] == f"smartrouting:{read_version()}"
    expressions = re.findall(r'"(\[[^"]*\])"', body)
    assert [each for each in expressions if each.count("(") != each.count(")")] == []
