"""A compiled pipeline on the server: one version for each content, however often it is sent."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from kfp_server_api import V2beta1Experiment, V2beta1Pipeline

from pipelines.kubeflow.client import Kubeflow
from pipelines.kubeflow.package import Package
from pipelines.kubeflow.refusals import KubeflowError

_CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A version on the server.

    Args:
        pipeline_id: of the pipeline.
        version_id: of the version.
        new: whether it was not there before.
    """

    pipeline_id: str
    version_id: str
    new: bool


def ensure_version(server: Kubeflow, package: Package) -> Uploaded:
    """Return the version of a compiled pipeline; upload it if the server has not got it.

    Two that do so at once end with one version: the server refuses a second of the same name.

    Args:
        server: to upload to.
        package: what to upload.

    Raises:
        KubeflowError: the server refused or does not answer.
    """
    pipeline = _pipeline(server, package)
    found = _version(server, pipeline, package)
    if found is not None:
        return Uploaded(pipeline, found, new=False)
    doing = f"upload a version of pipeline {package.name}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pipeline.yaml"
            file.write_text(package.text, encoding="utf-8")
            made = server.ask(
                doing,
                server.uploads.upload_pipeline_version,
                str(file),
                name=package.label,
                pipelineid=pipeline,
                description=package.description or None,
            )
    except KubeflowError as error:
        # somebody else was faster, or the answer got lost on its way
        other = _version(server, pipeline, package) if _may_be_there(error) else None
        if other is None:
            raise
        return Uploaded(pipeline, other, new=False)
    return Uploaded(pipeline, str(made.pipeline_version_id), new=True)


def ensure_experiment(server: Kubeflow, name: str) -> str:
    """Return the id of an experiment, made on first use.

    Args:
        server: that holds it.
        name: of the experiment.
    """
    found = find_experiment(server, name)
    if found is not None:
        return found
    namespace = server.access.namespace
    body = V2beta1Experiment(display_name=name, namespace=namespace)
    try:
        made = server.ask(
            f"create experiment {name}",
            server.experiments.experiment_service_create_experiment,
            experiment=body,
        )
    except KubeflowError as error:
        other = find_experiment(server, name) if _may_be_there(error) else None
        if other is None:
            raise
        return other
    return str(made.experiment_id)


def _may_be_there(error: KubeflowError) -> bool:
    return error.status == _CONFLICT or error.undecided


def find_experiment(server: Kubeflow, name: str) -> str | None:
    """Return the id of an experiment; None if there is none of this name."""
    found = server.named(
        "look for the experiment",
        server.experiments.experiment_service_list_experiments,
        "experiments",
        name,
        namespace=server.access.namespace,
    )
    return str(found[0].experiment_id) if found else None


def _pipeline(server: Kubeflow, package: Package) -> str:
    found = _pipeline_id(server, package.name)
    if found is not None:
        return found
    body = V2beta1Pipeline(
        display_name=package.name,
        description=package.description or None,
        namespace=server.access.namespace,
    )
    try:
        made = server.ask(
            f"create pipeline {package.name}",
            server.pipelines.pipeline_service_create_pipeline,
            pipeline=body,
        )
    except KubeflowError as error:
        other = _pipeline_id(server, package.name) if _may_be_there(error) else None
        if other is None:
            raise
        return other
    return str(made.pipeline_id)


def _pipeline_id(server: Kubeflow, name: str) -> str | None:
    found = server.named(
        "look for the pipeline",
        server.pipelines.pipeline_service_list_pipelines,
        "pipelines",
        name,
        namespace=server.access.namespace,
    )
    return str(found[0].pipeline_id) if found else None


def _version(server: Kubeflow, pipeline: str, package: Package) -> str | None:
    found = server.named(
        "look for the pipeline's version",
        server.pipelines.pipeline_service_list_pipeline_versions,
        "pipeline_versions",
        package.label,
        pipeline_id=pipeline,
    )
    return str(found[0].pipeline_version_id) if found else None
