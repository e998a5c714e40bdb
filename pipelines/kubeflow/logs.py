"""What the steps of a run printed, as far as the API knows it; else where to look."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pipelines.kubeflow.client import Kubeflow
from pipelines.kubeflow.refusals import KubeflowError
from pipelines.kubeflow.states import steps_of, tasks_of
from shopguide.errors import ShopguideError


@dataclass(frozen=True, slots=True)
class StepLog:
    """What one step printed.

    Args:
        step: name of the step.
        state: its state.
        text: what it printed; None if the server does not have it (any more).
        pods: names of its pods, as far as they are known.
    """

    step: str
    state: str
    text: str | None
    pods: tuple[str, ...]


def read_logs(server: Kubeflow, run: Any, *, step: str | None = None) -> list[StepLog]:  # noqa: ANN401
    """Return what the steps printed, in the order of their start.

    The server reads a pod's log while there is the pod, or from the archive that Argo may keep.

    Args:
        server: that ran it.
        run: as the server describes it.
        step: name of one step; None: all.

    Raises:
        ShopguideError: the run has no such step.
        KubeflowError: the server refuses us, or does not answer.
    """
    steps = steps_of(run)
    names = list(dict.fromkeys(str(task.display_name) for task in steps))
    wanted = None if step is None else step.replace("_", "-")
    if wanted is not None and wanted not in names:
        fix = f"Name one of {', '.join(names)}" if names else "Wait until a step has started"
        raise ShopguideError(f"--step {step}", "the run has no such step", fix)
    below = _below(tasks_of(run))
    chosen = [task for task in steps if wanted in (None, task.display_name)]
    return [_log_of(server, run.run_id, task, below) for task in chosen]


def where_to_look(server: Kubeflow, run_id: str, log: StepLog) -> str:
    """Return the words for a step whose log the API does not have."""
    namespace = f"--namespace {server.access.namespace} " if server.access.namespace else ""
    pods = " ".join(log.pods)
    select = f"{pods} " if pods else f"--selector pipeline/runid={run_id} "
    return (
        f"the API has no log of it: see {server.page_of(run_id)}, "
        f"or `kubectl {namespace}logs {select}--container main`"
    )


def _log_of(
    server: Kubeflow,
    run_id: str,
    task: Any,  # noqa: ANN401
    below: dict[str, list[Any]],
) -> StepLog:
    pods = tuple(dict.fromkeys(_pods(task, below)))
    texts = []
    for pod in pods:
        path = f"/apis/v1alpha1/runs/{quote(run_id, safe='')}/nodes/{quote(pod, safe='')}/log"
        try:
            texts.append(server.text(f"read the log of {task.display_name}", path))
        except KubeflowError as error:
            if error.status in (0, 401, 403):
                raise
    text = "\n".join(filter(None, map(_printed, texts)))
    return StepLog(str(task.display_name), str(task.state or "PENDING"), text or None, pods)


def _printed(text: str) -> str | None:
    """The server begins its answer with 200 before it looks, so that a failure is in the text."""
    return None if text.startswith('{"error_message"') or not text.strip() else text


def _below(tasks: list[Any]) -> dict[str, list[Any]]:
    children: dict[str, list[Any]] = {}
    for task in tasks:
        children.setdefault(str(task.parent_task_id or ""), []).append(task)
    return children


def _pods(task: Any, below: dict[str, list[Any]]) -> list[str]:  # noqa: ANN401
    own = [task.pod_name, *(child.pod_name for child in task.child_tasks or [])]
    deeper = [pod for child in below.get(str(task.task_id), []) for pod in _pods(child, below)]
    return [pod for pod in own if pod] + deeper
