"""The manifests are what Kubernetes takes, and as tight as its strictest profile wants them."""

import copy
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.strict import of_model, problems

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
OVERLAY = FOLDER / "overlays" / "example"
CUSTOM = ("monitoring.coreos.com/v1", "serving.knative.dev/v1", "serving.kserve.io/v1beta1")


def _documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def _kustomizations() -> list[Path]:
    return sorted(FOLDER.rglob("kustomization.yaml"))


def _patches() -> set[Path]:
    return {
        path.parent / patch["path"]
        for path in _kustomizations()
        for patch in _documents(path)[0].get("patches", [])
    }


PLAIN = [
    (path.relative_to(FOLDER), document)
    for path in sorted(FOLDER.rglob("*.yaml"))
    if path.name != "kustomization.yaml" and path not in _patches()
    for document in _documents(path)
    if document["apiVersion"] not in CUSTOM
]
BASE = {document["kind"]: document for path, document in PLAIN if path.parts[0] == "base"}
POD = BASE["Deployment"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


@pytest.mark.parametrize(
    ("path", "document"), PLAIN, ids=[f"{path}-{d['kind']}" for path, d in PLAIN]
)
def test_a_manifest_has_known_fields_and_all_it_needs(path: Path, document: dict[str, Any]) -> None:
    assert problems(document) == [], path


def test_a_patch_has_known_fields() -> None:
    for path in _patches():
        for document in _documents(path):
            assert problems(document, whole=False) == []


def test_the_check_sees_a_wrong_name_a_wrong_type_and_what_is_missing() -> None:
    broken = copy.deepcopy(BASE["Deployment"])
    broken["spec"]["replica"] = 2
    broken["spec"]["replicas"] = "2"
    del broken["spec"]["selector"]
    found = "\n".join(problems(broken))
    assert "Deployment.spec.replica: V1DeploymentSpec has no such field" in found
    assert "Deployment.spec.replicas: '2' is no int" in found
    assert "`selector`" in found


@pytest.mark.parametrize("path", _kustomizations(), ids=lambda path: path.parent.name)
def test_a_kustomization_names_files_that_are_there(path: Path) -> None:
    (document,) = _documents(path)
    named = [*document.get("resources", []), *document.get("components", [])]
    named += [patch["path"] for patch in document.get("patches", [])]
    assert named
    for name in named:
        target = path.parent / name
        assert target.is_file() or (target / "kustomization.yaml").is_file(), name
    left = {p.name for p in path.parent.glob("*.yaml")} - {"kustomization.yaml", *named}
    assert left == set(), "files that nothing names"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_the_overlay_builds_into_whole_manifests() -> None:
    built = subprocess.run(
        ["kubectl", "kustomize", str(OVERLAY)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    documents = list(yaml.safe_load_all(built.stdout))
    by_kind = {document["kind"]: document for document in documents}
    for document in documents:
        if document["apiVersion"] not in CUSTOM:
            assert problems(document) == []
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == "shop-ranking"
    pod = by_kind["Deployment"]["spec"]["template"]["spec"]
    assert "@sha256:" in pod["containers"][0]["image"]
    (state,) = [volume for volume in pod["volumes"] if volume["name"] == "state"]
    assert set(state) == {"name", "persistentVolumeClaim"}


def test_the_pod_fits_the_restricted_profile() -> None:
    context = POD["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    own = CONTAINER["securityContext"]
    assert own["allowPrivilegeEscalation"] is False
    assert own["readOnlyRootFilesystem"] is True
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(POD)
    assert all(set(volume) & {"emptyDir", "persistentVolumeClaim"} for volume in POD["volumes"])


def test_the_pod_has_bounds_and_three_probes() -> None:
    assert {"cpu", "memory"} <= set(CONTAINER["resources"]["requests"])
    assert "memory" in CONTAINER["resources"]["limits"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert CONTAINER[probe]["httpGet"]["port"] == "http"
    assert CONTAINER["livenessProbe"]["httpGet"]["path"] == "/livez", "a silent store kills no pod"


def test_selectors_find_the_pods() -> None:
    labels = BASE["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        BASE["Deployment"]["spec"]["selector"]["matchLabels"],
        BASE["Service"]["spec"]["selector"],
        BASE["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        BASE["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()
    assert BASE["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "ranking"
    assert BASE["Service"]["spec"]["ports"][0]["targetPort"] == CONTAINER["ports"][0]["name"]


def test_no_secret_stands_in_a_file() -> None:
    for path, document in PLAIN:
        assert document["kind"] != "Secret", path
        for name in document.get("data", {}):
            assert not re.search("PASSWORD|KEY|TOKEN|SECRET|CONNECTION", name), f"{path}: {name}"
    assert {"secretRef": {"name": "ranking"}} in CONTAINER["envFrom"]


def test_the_service_may_ask_kubernetes_nothing() -> None:
    assert BASE["ServiceAccount"]["automountServiceAccountToken"] is False
    assert POD["automountServiceAccountToken"] is False
    assert not [d for path, d in PLAIN if path.parts[0] == "base" and "Role" in d["kind"]]


def test_who_deploys_may_only_change_the_one_deployment() -> None:
    (role,) = [d for path, d in PLAIN if path.parts[0] == "deployer" and d["kind"] == "Role"]
    writing = [rule for rule in role["rules"] if set(rule["verbs"]) - {"get", "list", "watch"}]
    assert writing == [
        {
            "apiGroups": ["apps"],
            "resources": ["deployments"],
            "resourceNames": ["ranking"],
            "verbs": ["get", "patch"],
        }
    ]
    assert "*" not in str(role["rules"])
    assert "secrets" not in str(role["rules"])


@pytest.mark.parametrize("name", ["service.yaml", "inferenceservice.yaml"])
def test_the_pods_of_knative_and_kserve_are_pods(name: str) -> None:
    (document,) = _documents(FOLDER / "knative" / name)
    pod = document["spec"].get("predictor") or document["spec"]["template"]["spec"]
    own = {
        "containerConcurrency", "timeoutSeconds", "minReplicas", "maxReplicas", "scaleMetric",
        "scaleTarget",
    }  # fmt: skip
    plain = {key: value for key, value in pod.items() if key not in own}
    assert list(of_model(plain, "V1PodSpec", name, whole=True)) == []
    (container,) = plain["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert "@sha256:" in container["image"]
