"""Whether the manifests in `deploy/kubernetes` fit the service, each other and Kubernetes."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import read_settings
from app.settings.tree import list_settings
from tests.deploy.project import ROOT, read_image, read_version
from tests.interface.others import CLIENTS
from tests.support.document import read_document
from tests.support.service import WEBHOOK_KEY

FOLDER = ROOT / "deploy/kubernetes"
VALIDATOR = CLIENTS / "bin/kubernetes-validate"
LABEL = {"app.kubernetes.io/name": "smartrouting"}


def read_manifests() -> dict[str, Any]:
    """Read every document of the folder, by kind and name."""
    documents = [each for file in sorted(FOLDER.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text("utf-8"))]
    return {f"{each['kind']}/{each.get('metadata', {}).get('name', '')}": each for each in documents}


def read_pod() -> tuple[Any, Any]:
    """Read the pod of the stateful set, and its only container."""
    pod = read_manifests()["StatefulSet/smartrouting"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    return pod, container


def test_settings_and_secrets_are_a_whole_deployment(tmp_path: Path) -> None:
    """With the secrets that the document has one make, the settings of the folder are accepted."""
    pod, container = read_pod()
    [mount] = [each for each in container["volumeMounts"] if each["name"] == "secrets"]
    lines = (FOLDER / "settings.env").read_text(encoding="utf-8").splitlines()
    variables = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert variables["SMARTROUTING_SECRETS_DIR"] == mount["mountPath"]
    for name, value in {
        "SMARTROUTING_STORE__URL": "postgresql://smartrouting:fake@database/smartrouting",
        "SMARTROUTING_WEBHOOK__API_KEYS": f'{{"enreach": "{WEBHOOK_KEY}"}}',
        "SMARTROUTING_DATAVERSE__CLIENT_SECRET": "fake-secret",
    }.items():
        (tmp_path / name).write_text(value, encoding="utf-8")

    settings = read_settings({**variables, "SMARTROUTING_SECRETS_DIR": str(tmp_path)}, env_file=tmp_path / ".env")

    assert variables.keys() <= {each.variable for each in list_settings()}
    # Calls and requests under way get up to 20 seconds after the drain.
    assert pod["terminationGracePeriodSeconds"] >= settings.drain_seconds + 25
    # Nobody sends calls any more before the listener closes.
    readiness = container["readinessProbe"]
    assert settings.drain_seconds >= readiness["periodSeconds"] * readiness["failureThreshold"] + 5


def test_probes_and_ports_are_those_of_the_service() -> None:
    """Every probe asks a path of the interface at the port that the image listens on, by its name."""
    _, container = read_pod()
    paths = read_document()["paths"].keys()
    services = [each for key, each in read_manifests().items() if key.startswith("Service/")]

    assert container["ports"] == [{"name": "http", "containerPort": read_image().port}]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert probes == {
        "startup": {"path": "/health/ready", "port": "http"},
        "readiness": {"path": "/health/ready", "port": "http"},
        "liveness": {"path": "/health/live", "port": "http"},
    }
    assert {probe["path"] for probe in probes.values()} <= paths
    assert {port["targetPort"] for service in services for port in service["spec"]["ports"]} == {"http"}


def test_the_pod_runs_as_the_image_wants_and_without_rights() -> None:
    """User and group are those of the image, only volumes can be written, and no variables come from services."""
    pod, container = read_pod()
    image = read_image()
    security = pod["securityContext"]

    assert [security[key] for key in ("runAsUser", "runAsGroup", "fsGroup")] == [image.user] * 3
    assert (security["runAsNonRoot"], pod["enableServiceLinks"], pod["automountServiceAccountToken"]) == (
        True,
        False,
        False,
    )
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    claims = [
        each["metadata"]["name"]
        for each in read_manifests()["StatefulSet/smartrouting"]["spec"]["volumeClaimTemplates"]
    ]
    assert [mounts[claim] for claim in claims] == [image.volume]
    assert mounts.keys() == {*claims, *(each["name"] for each in pod["volumes"])}


def test_everything_selects_the_pods() -> None:
    """Set, services, budget and policy mean the same pods; the monitor means one of the services, at a port it has."""
    manifests = read_manifests()
    specs = {key: each.get("spec", {}) for key, each in manifests.items()}
    monitor = specs["ServiceMonitor/smartrouting"]

    assert specs["StatefulSet/smartrouting"]["template"]["metadata"]["labels"] == LABEL
    assert [
        specs["StatefulSet/smartrouting"]["selector"]["matchLabels"],
        specs["Service/smartrouting"]["selector"],
        specs["Service/smartrouting-pods"]["selector"],
        specs["PodDisruptionBudget/smartrouting"]["selector"]["matchLabels"],
        specs["NetworkPolicy/smartrouting"]["podSelector"]["matchLabels"],
    ] == [LABEL] * 5
    assert specs["StatefulSet/smartrouting"]["serviceName"] == "smartrouting-pods"
    selected = [
        key
        for key, each in manifests.items()
        if key.startswith("Service/")
        and monitor["selector"]["matchLabels"].items() <= each["metadata"]["labels"].items()
    ]
    assert selected == ["Service/smartrouting-pods"]
    assert monitor["endpoints"] == [{"port": "http", "path": "/metrics", "interval": "15s"}]


def test_files_and_version_are_those_of_the_project() -> None:
    """The kustomization names every manifest but the one of the Prometheus Operator, and the version of the project."""
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))

    files = {file.name for file in FOLDER.glob("*.yaml")} - {"kustomization.yaml", "service-monitor.yaml"}
    assert set(kustomization["resources"]) == files
    assert [each["newTag"] for each in kustomization["images"]] == [read_version()]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kustomize is tried only where kubectl is installed")
def test_kustomize_puts_settings_and_image_in() -> None:
    """What `kubectl apply -k` would send names the generated settings and the image of the registry."""
    ended = subprocess.run(  # noqa: S603 - a program of the system
        ["/usr/bin/env", "kubectl", "kustomize", FOLDER], capture_output=True, text=True, check=True, timeout=60
    )
    documents = {each["kind"]: each for each in yaml.safe_load_all(ended.stdout)}

    [container] = documents["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("registry.example.com/smartrouting:")
    assert container["envFrom"] == [{"configMapRef": {"name": documents["ConfigMap"]["metadata"]["name"]}}]
    assert {each["metadata"]["namespace"] for each in documents.values()} == {"smartrouting"}


@pytest.mark.skipif(not VALIDATOR.exists(), reason="the schemas of Kubernetes come with `make clients`")
def test_manifests_are_valid_for_kubernetes() -> None:
    """The schemas of Kubernetes accept every manifest strictly; of the Prometheus Operator they know nothing."""
    files = [FOLDER / name for name in yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))["resources"]]

    ended = subprocess.run(  # noqa: S603 - installed by `make clients`
        [VALIDATOR, "--strict", "--no-warn", *files], capture_output=True, text=True, check=False, timeout=120
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
