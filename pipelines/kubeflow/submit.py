"""Start a run of a compiled pipeline on a server."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from kfp_server_api import (
    V2beta1PipelineVersionReference,
    V2beta1Run,
    V2beta1RuntimeConfig,
)

from pipelines.kubeflow.client import Kubeflow
from pipelines.kubeflow.package import Package
from pipelines.kubeflow.refusals import KubeflowError
from pipelines.kubeflow.upload import Uploaded, ensure_experiment, ensure_version


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run that was started.

    Args:
        run_id: the server's id of it.
        run_name: what it is called there.
        experiment_id: of the experiment that holds it.
        pipeline_id: of the pipeline.
        version_id: of its version.
        version: name of the version: the digest of the compiled file.
        uploaded: whether the version is new.
        url: of its page.
    """

    run_id: str
    run_name: str
    experiment_id: str
    pipeline_id: str
    version_id: str
    version: str
    uploaded: bool
    url: str

    def to_dict(self) -> dict[str, object]:
        """Return the fields for `--json`."""
        return asdict(self)


def submit(
    server: Kubeflow,
    package: Package,
    parameters: Mapping[str, object],
    *,
    experiment: str,
    run_name: str,
    pipeline_root: str | None = None,
    service_account: str | None = None,
) -> Submitted:
    """Upload what is not there yet, and start a run.

    Args:
        server: where to.
        package: compiled pipeline.
        parameters: checked ones.
        experiment: name of the experiment; made on first use.
        run_name: of the run; unique, so that a run whose answer got lost is found again.
        pipeline_root: where steps leave their outputs; None: the server's own place.
        service_account: of the pods; None: the server's default.

    Raises:
        KubeflowError: the server refused or does not answer.
    """
    version = ensure_version(server, package)
    experiment_id = ensure_experiment(server, experiment)
    body = V2beta1Run(
        experiment_id=experiment_id,
        display_name=run_name,
        pipeline_version_reference=reference(version),
        runtime_config=V2beta1RuntimeConfig(
            parameters=dict(parameters), pipeline_root=pipeline_root
        ),
        service_account=service_account,
    )
    run_id = _created(server, body)
    return Submitted(
        run_id=run_id,
        run_name=run_name,
        experiment_id=experiment_id,
        pipeline_id=version.pipeline_id,
        version_id=version.version_id,
        version=package.label,
        uploaded=version.new,
        url=server.page_of(run_id),
    )


def reference(version: Uploaded) -> V2beta1PipelineVersionReference:
    """Return what names a version in a run."""
    return V2beta1PipelineVersionReference(
        pipeline_id=version.pipeline_id, pipeline_version_id=version.version_id
    )


def _created(server: Kubeflow, body: V2beta1Run) -> str:
    try:
        made = server.ask("start a run", server.runs.run_service_create_run, run=body)
    except KubeflowError as error:
        found = _by_name(server, body) if error.undecided else None
        if found is None:
            raise
        return found
    return str(made.run_id)


def _by_name(server: Kubeflow, body: V2beta1Run) -> str | None:
    """Return the run of this name: where an answer got lost, starting again would double it."""
    try:
        found = server.named(
            "look for the run",
            server.runs.run_service_list_runs,
            "runs",
            body.display_name,
            experiment_id=body.experiment_id,
        )
    except KubeflowError:
        return None  # what happened first is the better message
    return str(found[0].run_id) if found else None
