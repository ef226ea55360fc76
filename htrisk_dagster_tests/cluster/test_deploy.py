"""The files of `deploy/` by their own schema tools: they cannot be started here, no container can.

KubeRay's chart has no schema, and its custom resource's is on neither PyPI nor npm: the values are held to
the pods that they become.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from htrisk_dagster.settings import PREFIX, Settings
from htrisk_dagster_tests.cluster.processes import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = "1.30.0"
# What the chart makes pods of, by its own values file.
CHART_KEYS = {
    "rayStartParams", "containerEnv", "resources", "volumes", "volumeMounts", "groupName", "replicas",
    "minReplicas", "maxReplicas", "enableInTreeAutoscaling",
}  # fmt: skip


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def pod_of(values: Mapping[str, Any], image: Mapping[str, str]) -> dict[str, Any]:
    """The pod that KubeRay's chart makes of its values for a head or a worker."""
    container = {
        "name": "ray", "image": f"{image['repository']}:{image['tag']}",
        "imagePullPolicy": image["pullPolicy"], "env": values["containerEnv"],
        "resources": values["resources"], "volumeMounts": values["volumeMounts"],
    }  # fmt: skip
    spec = {"containers": [container], "volumes": values["volumes"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, "spec": spec}


@pytest.mark.cluster
def test_the_compose_file_is_one_by_the_specification() -> None:
    compose_spec = pytest.importorskip("compose_spec")
    text = (DEPLOY / "compose.yaml").read_text()

    found = compose_spec.PyCompose.from_yaml(_merged(text))

    assert set(found.service_names()) == {
        "postgres", "mlflow", "dagster-webserver", "dagster-daemon", "ray-head", "ray-worker",
    }  # fmt: skip
    with pytest.raises(ValueError, match="shm_sise"):
        compose_spec.PyCompose.from_yaml(_merged(text.replace("shm_size", "shm_sise")))


@pytest.mark.cluster
def test_the_kubernetes_objects_are_valid() -> None:
    validate = pytest.importorskip("kubernetes_validate")
    found = documents("kubernetes.yaml")

    for each in found:
        validate.validate(each, KUBERNETES, strict=True)

    assert [each["kind"] for each in found].count("Service") == 3
    found[2]["spec"]["replicaz"] = 1
    with pytest.raises(validate.ValidationError, match="replicaz"):
        validate.validate(found[2], KUBERNETES, strict=True)


@pytest.mark.cluster
@pytest.mark.parametrize("group", ["head", "worker"])
def test_the_pods_of_kuberays_values_are_valid(group: str) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    (values,) = documents("kuberay-values.yaml")

    assert set(values[group]) <= CHART_KEYS
    pod = pod_of(values[group], values["image"])
    validate.validate(pod, KUBERNETES, strict=True)
    pod["spec"]["volumes"][0]["persistentVolumeClaim"] = {"name": "htrisk-shared"}
    with pytest.raises(validate.ValidationError):
        validate.validate(pod, KUBERNETES, strict=True)


def test_what_dagster_reads_from_the_environment_is_given_everywhere() -> None:
    """Each `env:` of dagster.yaml in compose or the image, and in Kubernetes."""
    needed = set(re.findall(r"env: (\w+)", (DEPLOY / "dagster.yaml").read_text()))
    image = set(re.findall(r"(\w+)=/", (DEPLOY / "Dockerfile").read_text()))
    compose = set(documents("compose.yaml")[0]["x-environment"])
    named = [d for d in documents("kubernetes.yaml") if d["metadata"]["name"] == "dagster"]
    pods = named[0]["spec"]["template"]["spec"]["containers"]

    assert needed == {"DAGSTER_POSTGRES_URL", "DAGSTER_SHARED_DIR", "RAY_DASHBOARD_ADDRESS"}
    assert needed <= image | compose
    for pod in pods:
        assert needed <= image | {variable["name"] for variable in pod["env"]}


def test_every_setting_of_ours_that_is_named_there_exists() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for path in sorted(DEPLOY.iterdir()):
        if path.is_file():
            named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", path.read_text()))
            assert named <= known, path


def test_no_password_is_written_down() -> None:
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_file():
            for password in re.findall(r"dagster:([^@\s]+)@", path.read_text()):
                assert password == "..." or password.startswith("${POSTGRES_PASSWORD:?"), path


def _merged(text: str) -> str:
    """Anchors and merge keys resolved, as `docker compose config` does."""
    return yaml.safe_dump(yaml.safe_load(text))
