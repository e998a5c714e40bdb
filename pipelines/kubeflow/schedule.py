"""A recurring run that exists once: named, compared with what is there, and changed as a whole.

The API cannot change a recurring run. A change makes a new one and deletes the old one, and at no
time are two of them switched on: what is cut off in the middle is off, and the next call mends it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kfp_server_api import V2beta1RecurringRun, V2beta1RuntimeConfig, V2beta1Trigger

from pipelines.kubeflow.client import Kubeflow
from pipelines.kubeflow.package import Package
from pipelines.kubeflow.refusals import KubeflowError
from pipelines.kubeflow.states import FINAL
from pipelines.kubeflow.submit import reference
from pipelines.kubeflow.upload import ensure_experiment, ensure_version, find_experiment

Change = Literal["created", "updated", "unchanged", "paused", "resumed"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a recurring run is to be.

    Args:
        name: of it: there is one of each name in an experiment.
        trigger: when it starts a run.
        parameters: checked ones, of each run.
        experiment: name of the experiment.
        catch_up: whether each missed run is made up for; else the latest alone.
        paused: whether it is off.
        pipeline_root: where steps leave their outputs; None: the server's own place.
        service_account: of the pods; None: the server's default.
    """

    name: str
    trigger: V2beta1Trigger
    parameters: Mapping[str, object]
    experiment: str
    catch_up: bool = False
    paused: bool = False
    pipeline_root: str | None = None
    service_account: str | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What became of it.

    Args:
        name: of the recurring run.
        recurring_run_id: the server's id of it.
        change: what was done.
        version: name of the pipeline's version that it runs.
        paused: whether it is off.
    """

    name: str
    recurring_run_id: str
    change: Change
    version: str
    paused: bool

    def to_dict(self) -> dict[str, object]:
        """Return the fields for `--json`."""
        return asdict(self)


def schedule(server: Kubeflow, package: Package, wanted: Schedule) -> Scheduled:
    """Bring a recurring run to what it is to be; asked again, it changes nothing.

    Args:
        server: where.
        package: compiled pipeline.
        wanted: what it is to be. One run at a time: a run that is due while the one before is at
            work waits for it.

    Raises:
        KubeflowError: the server refused or does not answer, or a run of the old one is at work.
    """
    version = ensure_version(server, package)
    body = V2beta1RecurringRun(
        display_name=wanted.name,
        experiment_id=ensure_experiment(server, wanted.experiment),
        namespace=server.access.namespace,
        pipeline_version_reference=reference(version),
        runtime_config=V2beta1RuntimeConfig(
            parameters=dict(wanted.parameters), pipeline_root=wanted.pipeline_root
        ),
        service_account=wanted.service_account,
        trigger=wanted.trigger,
        max_concurrency="1",
        no_catchup=not wanted.catch_up,
        mode="DISABLE",
    )
    there = _named(server, wanted.name, body.experiment_id)
    same = next((run for run in there if _alike(run, body)), None)
    others = [run for run in there if run is not same]
    if same is not None:
        _replace(server, others, None)
        change = _switch(server, same, paused=wanted.paused)
        if change == "unchanged" and others:
            change = "updated"
        return Scheduled(
            wanted.name, str(same.recurring_run_id), change, package.label, wanted.paused
        )
    made = _replace(server, others, body)
    if not wanted.paused:
        _enable(server, made)
    change = "updated" if others else "created"
    return Scheduled(wanted.name, made, change, package.label, wanted.paused)


def remove(server: Kubeflow, name: str, experiment: str) -> int:
    """Delete every recurring run of a name; return how many there were.

    Args:
        server: where.
        name: of the recurring run.
        experiment: name of the experiment.

    Raises:
        KubeflowError: the server refused or does not answer, or one of its runs is at work.
    """
    experiment_id = find_experiment(server, experiment)
    found = [] if experiment_id is None else _named(server, name, experiment_id)
    _replace(server, found, None)
    return len(found)


def _named(server: Kubeflow, name: str, experiment_id: str) -> list[Any]:
    return server.named(
        "look for the schedule",
        server.recurring.recurring_run_service_list_recurring_runs,
        "recurring_runs",
        name,
        experiment_id=experiment_id,
        namespace=server.access.namespace,
    )


def _replace(server: Kubeflow, old: Sequence[Any], new: V2beta1RecurringRun | None) -> str:
    """Put a recurring run, switched off, in the place of others; return its id."""
    on = [run for run in old if run.mode == "ENABLE"]
    for run in on:
        _disable(server, run.recurring_run_id)
    made = ""
    try:
        for run in old:
            _refuse_at_work(server, run)
        if new is not None:
            made = str(
                server.ask(
                    f"create schedule {new.display_name}",
                    server.recurring.recurring_run_service_create_recurring_run,
                    recurring_run=new,
                ).recurring_run_id
            )
    except KubeflowError:
        for run in on:
            _enable(server, run.recurring_run_id)
        raise
    for run in old:
        server.ask(
            f"delete the former schedule {run.display_name}",
            server.recurring.recurring_run_service_delete_recurring_run,
            run.recurring_run_id,
        )
    return made


def _refuse_at_work(server: Kubeflow, old: Any) -> None:  # noqa: ANN401 - a model of kfp_server_api
    """Kubernetes ends a run together with the schedule that started it."""
    runs = server.listed(
        "look for runs of the schedule",
        server.runs.run_service_list_runs,
        "runs",
        experiment_id=old.experiment_id,
        sort_by="created_at desc",
    )
    at_work = [
        run
        for run in runs
        if run.recurring_run_id == old.recurring_run_id and run.state not in FINAL
    ]
    if at_work:
        run_id = at_work[0].run_id
        raise KubeflowError(
            server.access.host,
            f"schedule {old.display_name} is left as it was: its run {run_id} is at work, "
            "and would end with it",
            f"Wait for it with `python -m pipelines wait {run_id}`, and try again",
            status=409,
        )


def _switch(server: Kubeflow, run: Any, *, paused: bool) -> Change:  # noqa: ANN401
    on = run.mode == "ENABLE"
    if paused and on:
        _disable(server, run.recurring_run_id)
        return "paused"
    if not paused and not on:
        _enable(server, run.recurring_run_id)
        return "resumed"
    return "unchanged"


def _enable(server: Kubeflow, run_id: str) -> None:
    method = server.recurring.recurring_run_service_enable_recurring_run
    server.ask("switch the schedule on", method, run_id)


def _disable(server: Kubeflow, run_id: str) -> None:
    method = server.recurring.recurring_run_service_disable_recurring_run
    server.ask("switch the schedule off", method, run_id)


def _alike(found: Any, wanted: V2beta1RecurringRun) -> bool:  # noqa: ANN401
    """Whether a recurring run does what is wanted; being switched off is no difference."""
    config, asked = found.runtime_config, wanted.runtime_config
    account = wanted.service_account
    return (
        found.pipeline_version_reference == wanted.pipeline_version_reference
        and ((config and config.parameters) or {}) == asked.parameters
        and ((config and config.pipeline_root) or None) == asked.pipeline_root
        and _times(found.trigger) == _times(wanted.trigger)
        and str(found.max_concurrency) == wanted.max_concurrency
        and bool(found.no_catchup) == wanted.no_catchup
        and (account is None or found.service_account == account)
    )


def _times(trigger: V2beta1Trigger | None) -> tuple[object, ...]:
    if trigger is None:
        return ()
    cron, pause = trigger.cron_schedule, trigger.periodic_schedule
    if cron is not None and cron.cron:
        return (cron.cron, cron.start_time or None, cron.end_time or None)
    if pause is not None and pause.interval_second:
        return (str(pause.interval_second), pause.start_time or None, pause.end_time or None)
    return ()
