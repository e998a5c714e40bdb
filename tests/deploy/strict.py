"""Hold a manifest against the models of the Kubernetes client: all fields are known."""

import re
from collections.abc import Iterator
from typing import Any

from kubernetes.client import models

SCALARS: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "datetime": str,
    "object": object,
}

KINDS = {
    ("v1", "ConfigMap"): "V1ConfigMap",
    ("v1", "Namespace"): "V1Namespace",
    ("v1", "PersistentVolumeClaim"): "V1PersistentVolumeClaim",
    ("v1", "Service"): "V1Service",
    ("v1", "ServiceAccount"): "V1ServiceAccount",
    ("apps/v1", "Deployment"): "V1Deployment",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "V2HorizontalPodAutoscaler",
    ("networking.k8s.io/v1", "NetworkPolicy"): "V1NetworkPolicy",
    ("policy/v1", "PodDisruptionBudget"): "V1PodDisruptionBudget",
    ("rbac.authorization.k8s.io/v1", "Role"): "V1Role",
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): "V1RoleBinding",
}


def problems(manifest: dict[str, Any], *, whole: bool = True) -> list[str]:
    """Return what is wrong with a manifest.

    Args:
        manifest: with `apiVersion` and `kind`.
        whole: fields that Kubernetes needs must be there; a patch has not all of them.
    """
    kind = (manifest.get("apiVersion"), manifest.get("kind"))
    name = KINDS.get(kind)  # type: ignore[arg-type]
    if name is None:
        return [f"no model of {kind}"]
    return list(of_model(manifest, name, manifest["kind"], whole=whole))


def of_model(value: object, kind: str, path: str, *, whole: bool) -> Iterator[str]:
    """Yield what is wrong with a value of a type as the client writes it: `list[V1Container]`."""
    if value is None and not whole:
        return  # a patch takes a field away
    if inner := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            yield f"{path}: a list is wanted"
            return
        for row, item in enumerate(value):
            yield from of_model(item, inner[1], f"{path}[{row}]", whole=whole)
    elif inner := re.fullmatch(r"dict\(str, (.+)\)", kind):
        if not isinstance(value, dict):
            yield f"{path}: a mapping is wanted"
            return
        for key, item in value.items():
            yield from of_model(item, inner[1], f"{path}.{key}", whole=whole)
    elif kind in SCALARS:
        wrong = isinstance(value, bool) and kind in ("int", "float")
        if wrong or not isinstance(value, SCALARS[kind]):
            yield f"{path}: {value!r} is no {kind}"
    else:
        yield from _of_object(value, kind, path, whole=whole)


def _of_object(value: object, kind: str, path: str, *, whole: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: a {kind} is wanted"
        return
    model = getattr(models, kind)
    fields = {name: attribute for attribute, name in model.attribute_map.items()}
    for name, item in value.items():
        if name not in fields:
            yield f"{path}.{name}: {kind} has no such field"
        else:
            yield from of_model(
                item, model.openapi_types[fields[name]], f"{path}.{name}", whole=whole
            )
    if whole:
        arguments = {fields[name]: item for name, item in value.items() if name in fields}
        try:
            model(**arguments)
        except ValueError as error:
            yield f"{path}: {error}"
