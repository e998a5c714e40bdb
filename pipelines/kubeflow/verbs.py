"""The verbs of `python -m pipelines` that talk to a server."""

import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.kubeflow import options as opt
from shopguide.cli.common import AsJson, Overrides, Profile, console, print_json, stdout
from shopguide.errors import ShopguideError

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.kubeflow.client import Kubeflow
    from pipelines.kubeflow.package import Package

DEFAULT = "train_and_promote"


def submit(
    pipeline: opt.Pipeline = DEFAULT,
    spec: opt.OfSpec = None,
    profile: Profile = None,
    overrides: Overrides = None,
    param: opt.Parameters = None,
    params_file: opt.ParamsFile = None,
    experiment: opt.Experiment = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Run every step, whatever was run before.")
    ] = False,
    pipeline_root: opt.PipelineRoot = None,
    service_account: opt.ServiceAccount = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end; exit 1 if it fails.")
    ] = False,
    timeout: opt.Timeout = None,
    interval: opt.Interval = 5.0,
    host: opt.Host = None,
    namespace: opt.Namespace = None,
    token_file: opt.TokenFile = None,
    cookie_file: opt.CookieFile = None,
    ca_file: opt.CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Start a run in Kubeflow; the compiled file is uploaded if it is not there yet."""
    from pipelines.kubeflow.submit import submit as start

    stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    patience = _seconds(timeout)
    package = _package(pipeline, cached=not no_cache)
    parameters = _parameters(package, spec, profile, overrides, param, params_file, run_id=stamp)
    server = _server(host, namespace, token_file, cookie_file, ca_file)
    screen = _screen(as_json)
    started = start(
        server,
        package,
        parameters,
        experiment=experiment or package.name,
        run_name=f"{package.name} {stamp}",
        pipeline_root=pipeline_root,
        service_account=service_account,
    )
    new = "uploaded" if started.uploaded else "was there"
    screen.print(f"version   {started.version} ({new})", highlight=False)
    screen.print(f"run       {started.run_id}", highlight=False)
    screen.print(f"page      {started.url}", highlight=False, soft_wrap=True)
    if not wait:
        if as_json:
            print_json(started.to_dict())
        return
    _wait(server, started.run_id, screen, patience, interval, started.to_dict(), as_json=as_json)


def schedule(
    pipeline: opt.Pipeline = DEFAULT,
    name: Annotated[
        str | None,
        typer.Option(help="Of the schedule, there is one of each; none: the pipeline's."),
    ] = None,
    cron: Annotated[
        str | None,
        typer.Option(
            help='When: five fields as in crontab, "30 3 * * *"; or six with seconds first. '
            "In the server's time zone, which is UTC if nobody changed it."
        ),
    ] = None,
    every: Annotated[str | None, typer.Option(help="Or: a pause, such as 15m, 6h, 1d.")] = None,
    start: Annotated[datetime | None, typer.Option(help="Not before (UTC).")] = None,
    end: Annotated[datetime | None, typer.Option(help="Not after (UTC).")] = None,
    catch_up: Annotated[
        bool,
        typer.Option(
            "--catch-up/--no-catch-up",
            help="Make up for every run that was missed, one by one; else for the latest alone.",
        ),
    ] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Keep it, switched off.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it.")] = False,
    spec: opt.OfSpec = None,
    profile: Profile = None,
    overrides: Overrides = None,
    param: opt.Parameters = None,
    params_file: opt.ParamsFile = None,
    experiment: opt.Experiment = None,
    pipeline_root: opt.PipelineRoot = None,
    service_account: opt.ServiceAccount = None,
    host: opt.Host = None,
    namespace: opt.Namespace = None,
    token_file: opt.TokenFile = None,
    cookie_file: opt.CookieFile = None,
    ca_file: opt.CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline again and again, one run at a time; the same command twice changes nothing."""
    from pipelines.kubeflow.schedule import Schedule, remove
    from pipelines.kubeflow.schedule import schedule as put
    from pipelines.kubeflow.trigger import make_trigger

    package = _package(pipeline, cached=False)  # new data, perhaps under the same name
    called = name or package.name
    if delete:
        server = _server(host, namespace, token_file, cookie_file, ca_file)
        count = remove(server, called, experiment or package.name)
        if as_json:
            print_json({"name": called, "deleted": count})
        else:
            gone = "deleted" if count else "was not there"
            stdout.print(f"schedule  {called} {gone}", highlight=False)
        return
    trigger = make_trigger(cron, every, start=_utc(start), end=_utc(end))
    parameters = _parameters(package, spec, profile, overrides, param, params_file, run_id=called)
    wanted = Schedule(
        name=called,
        trigger=trigger,
        parameters=parameters,
        experiment=experiment or package.name,
        catch_up=catch_up,
        paused=pause,
        pipeline_root=pipeline_root,
        service_account=service_account,
    )
    server = _server(host, namespace, token_file, cookie_file, ca_file)
    done = put(server, package, wanted)
    if as_json:
        print_json(done.to_dict())
        return
    off = ", switched off" if done.paused else ""
    stdout.print(f"schedule  {done.name} {done.change}{off}", highlight=False)
    stdout.print(f"version   {done.version}", highlight=False)


def status(
    run_id: Annotated[
        str | None, typer.Argument(help="Kubeflow's id of the run; none: the newest runs.")
    ] = None,
    experiment: opt.Experiment = None,
    limit: Annotated[int, typer.Option(help="How many runs to list.", min=1)] = 10,
    host: opt.Host = None,
    namespace: opt.Namespace = None,
    token_file: opt.TokenFile = None,
    cookie_file: opt.CookieFile = None,
    ca_file: opt.CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Show a run and its steps, or the newest runs."""
    from pipelines.kubeflow.upload import find_experiment
    from pipelines.kubeflow.watch import get_run, newest_runs, print_list, print_run, summary

    server = _server(host, namespace, token_file, cookie_file, ca_file)
    if run_id is not None:
        run = get_run(server, run_id)
        if as_json:
            print_json(summary(run, server.page_of(run_id)))
        else:
            print_run(run, stdout, server.page_of(run_id))
        return
    held = None if experiment is None else find_experiment(server, experiment)
    if experiment is not None and held is None:
        raise ShopguideError(
            f"--experiment {experiment}", "there is none of this name", "Leave it out to see all"
        )
    runs = newest_runs(server, held, limit)
    if as_json:
        print_json([summary(run, server.page_of(run.run_id)) for run in runs])
    elif runs:
        print_list(runs, stdout)
    else:
        stdout.print("no runs yet")


def wait(
    run_id: opt.RunId,
    timeout: opt.Timeout = None,
    interval: opt.Interval = 5.0,
    host: opt.Host = None,
    namespace: opt.Namespace = None,
    token_file: opt.TokenFile = None,
    cookie_file: opt.CookieFile = None,
    ca_file: opt.CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Wait until a run ends, a line for each step: exit 0 if it succeeded, 1 if it did not."""
    patience = _seconds(timeout)
    server = _server(host, namespace, token_file, cookie_file, ca_file)
    _wait(server, run_id, _screen(as_json), patience, interval, {}, as_json=as_json)


def logs(
    run_id: opt.RunId,
    step: Annotated[str | None, typer.Option(help="Of one step; none: of all.")] = None,
    host: opt.Host = None,
    namespace: opt.Namespace = None,
    token_file: opt.TokenFile = None,
    cookie_file: opt.CookieFile = None,
    ca_file: opt.CaFile = None,
) -> None:
    """Print what the steps of a run printed, or where to look for it."""
    from pipelines.kubeflow.logs import read_logs, where_to_look
    from pipelines.kubeflow.watch import get_run

    server = _server(host, namespace, token_file, cookie_file, ca_file)
    for log in read_logs(server, get_run(server, run_id), step=step):
        stdout.print(f"=== {log.step} ({log.state})", highlight=False, markup=False)
        text = log.text if log.text is not None else where_to_look(server, run_id, log)
        stdout.print(text.rstrip(), highlight=False, markup=False, soft_wrap=True)


def _wait(
    server: "Kubeflow",
    run_id: str,
    screen: "Console",
    timeout: float | None,
    interval: float,
    more: dict[str, object],
    *,
    as_json: bool,
) -> None:
    from pipelines.kubeflow.states import FINAL, SUCCEEDED
    from pipelines.kubeflow.watch import print_end, summary
    from pipelines.kubeflow.watch import wait as follow

    run: Any = follow(server, run_id, screen, timeout=timeout, interval=interval)
    url = server.page_of(run_id)
    print_end(run, screen, url)
    if run.state not in FINAL:
        screen.print(f"waited {timeout:g} s; it goes on", highlight=False)
    if as_json:
        print_json(more | summary(run, url))
    if run.state != SUCCEEDED:
        raise typer.Exit(1)


def _package(pipeline: str, *, cached: bool) -> "Package":
    from pipelines.kubeflow.package import compiled_file, read_package

    return read_package(compiled_file(pipeline), cached=cached)


def _parameters(
    package: "Package",
    spec: Path | None,
    profile: str | None,
    overrides: Sequence[str] | None,
    param: Sequence[str] | None,
    file: Path | None,
    *,
    run_id: str,
) -> dict[str, object]:
    from pipelines.kubeflow.parameters import gather_parameters
    from pipelines.spec_parameters import spec_parameter

    given: dict[str, object] = {}
    if spec is not None:
        if "spec_text" not in package.parameters:
            what = f"pipeline {package.name} has no parameter spec_text"
            raise ShopguideError("--spec", what, "Leave it out")
        given["spec_text"] = spec_parameter(spec, profile, overrides or [])
    elif profile is not None or overrides:
        raise ShopguideError("--profile, --set", "change a spec, and none is given", "Give --spec")
    defaults = {"run_id": run_id} if "run_id" in package.parameters else {}
    return gather_parameters(package, file=file, typed=param or [], given=given, defaults=defaults)


def _server(
    host: str | None,
    namespace: str | None,
    token_file: Path | None,
    cookie_file: Path | None,
    ca_file: Path | None,
) -> "Kubeflow":
    from pipelines.kubeflow.access import find_access
    from pipelines.kubeflow.client import Kubeflow

    access = find_access(
        host,
        namespace=namespace,
        token_file=token_file,
        cookie_file=cookie_file,
        ca_file=ca_file,
    )
    return Kubeflow(access)


def _screen(as_json: bool) -> "Console":
    return console(sys.stderr if as_json else sys.stdout)


def _seconds(timeout: str | None) -> float | None:
    from pipelines.kubeflow.trigger import seconds_of

    return None if timeout is None else float(seconds_of(timeout, "--timeout"))


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)
