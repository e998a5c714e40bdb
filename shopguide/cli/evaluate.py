"""`shopguide evaluate`: how good a bundle's predictions and lists are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from shopguide.cli.common import (
    AsJson,
    Overrides,
    Profile,
    print_json,
    refuse_ignored,
    stdout,
)
from shopguide.cli.off_policy import (
    OFF_POLICY_ONLY,
    By,
    Clip,
    Interval,
    OffPolicy,
    SpecOfLog,
    Split,
    Switch,
    Target,
    TargetLog,
    Unit,
    check_question,
    show_answer,
)
from shopguide.errors import ShopguideError
from shopguide.files import require_folder
from shopguide.spec import load_spec

if TYPE_CHECKING:
    from shopguide.evaluation.result import Evaluation


def evaluate(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            "--training-set", "--data", help="Training set, a Parquet file of it, or a log."
        ),
    ],
    bundle: Annotated[Path | None, typer.Option(help="Bundle to measure.")] = None,
    split: Split = "test",
    slices: Annotated[
        list[str] | None,
        typer.Option(help="Column whose values are looked at apart; repeat. Default: gate.slices."),
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="Places of a list. Default: objective's k.")
    ] = None,
    off_policy: OffPolicy = False,
    target: Target = "ranking",
    target_log: TargetLog = None,
    by: By = None,
    unit: Unit = "user",
    clip: Clip = 10.0,
    switch: Switch = 10.0,
    interval: Interval = "bootstrap",
    spec: SpecOfLog = None,
    overrides: Overrides = None,
    profile: Profile = None,
    out: Annotated[Path | None, typer.Option(help="Directory for the JSON and the page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a bundle, or ask what a policy would have brought (exit 1: the log cannot say)."""
    if out is not None:
        require_folder(out, "--out")
    if not off_policy:
        refuse_ignored(context, OFF_POLICY_ONLY, "without --off-policy")
        _measure(bundle, data, split, slices, k, out, as_json=as_json)
        return
    from shopguide.evaluation.off_policy.answer import Question
    from shopguide.evaluation.off_policy.run import ask

    check_question(context, target, bundle, spec, clip=clip, switch=switch)
    answer = ask(
        *(data, target),
        bundle=bundle,
        by=by,
        spec=load_spec(spec, profile=profile, overrides=overrides or ()) if spec else None,
        split=split,
        target_log=target_log,
        question=Question(unit=unit, clip=clip, threshold=switch, method=interval),
    )
    show_answer(answer, out, as_json=as_json)


def _measure(
    bundle: Path | None,
    data: Path,
    split: str,
    slices: list[str] | None,
    k: int | None,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    if bundle is None:
        raise ShopguideError("--bundle", "no bundle is given", "Name the bundle to measure")
    from shopguide.evaluation.measure import evaluate_bundle
    from shopguide.evaluation.page import PAGE, write_evaluation

    found = evaluate_bundle(bundle, data, split=split, slices=slices, k=k)
    if out is not None:
        write_evaluation(found, out)
    if as_json:
        print_json(found.to_json())
        return
    _print(found)
    if out is not None:
        stdout.print(f"report  {out / PAGE}", highlight=False, soft_wrap=True)


def _print(found: "Evaluation") -> None:
    stdout.print(
        f"{escape(found.title)}: bundle {found.bundle['version']} on {found.rows:,} impressions, "
        f"{found.requests:,} lists, {found.users:,} users of {found.split}",
        highlight=False,
        soft_wrap=True,
    )
    for kind in ("binary", "amount"):
        _print_tasks(found, kind)
    _print_categories(found)
    _print_lists(found)
    _print_slices(found)


def _print_tasks(found: "Evaluation", kind: str) -> None:
    from shopguide.evaluation.charts import figure
    from shopguide.evaluation.page import METRICS

    tasks = {name: task for name, task in found.tasks.items() if task.kind == kind}
    if not tasks:
        return
    names = list(next(iter(tasks.values())).metrics)
    table = _table("probabilities" if kind == "binary" else "money", "with outcome")
    for name in names:
        table.add_column(METRICS[name][0], justify="right")
    for name, task in tasks.items():
        values = (figure(task.metrics[metric]) for metric in names)
        table.add_row(escape(found.titles[name]), f"{task.positives:,}", *values)
    stdout.print(table)
    for name, task in tasks.items():
        for metric, why in task.reasons.items():
            text = f"  {found.titles[name]}: {METRICS[metric][0]} is not defined, {why}"
            stdout.print(escape(text), highlight=False)


def _print_categories(found: "Evaluation") -> None:
    from shopguide.evaluation.charts import figure

    if not found.categories:
        return
    table = _table("classes", "rows", "accuracy", "macro F1", "log-loss", "NE")
    for name, category in found.categories.items():
        values = (figure(value) for value in category.metrics.values())
        table.add_row(escape(found.titles[name]), f"{category.rows:,}", *values)
    stdout.print(table)


def _print_lists(found: "Evaluation") -> None:
    from shopguide.evaluation.charts import figure

    table = _table(f"first {found.k} places", "lists", "NDCG", "hit", "recall", "MRR", "precision")
    for ranking in found.rankings:
        for name, lists in ranking.tasks.items():
            by = "by the score" if ranking.by == "score" else "by its own prediction"
            figures = (lists.ndcg, lists.hit, lists.recall, lists.mrr, lists.precision)
            row = (f"{found.titles[name]}, {by}", f"{lists.judged:,}")
            table.add_row(*map(escape, row), *map(figure, figures))
    stdout.print(table)
    table = _table("what they show", "items", "coverage", "novelty, bits", "Gini of exposure")
    for ranking in found.rankings:
        shown = ranking.catalogue
        by = "the score" if ranking.by == "score" else found.titles[ranking.by]
        values = (shown.coverage, shown.novelty, shown.exposure_gini)
        table.add_row(escape(by), f"{shown.items:,}", *map(figure, values))
    stdout.print(table)


def _print_slices(found: "Evaluation") -> None:
    from shopguide.evaluation.charts import figure

    if not found.slices:
        return
    table = _table("slice", "task", "impressions", "AUC or Gini", "PCOC", "NDCG")
    for part in found.slices:
        for name, task in part.tasks.items():
            best = task.metrics["auc" if task.kind == "binary" else "normalised_gini"]
            value = "none" if part.value is None else part.value
            where = (f"{part.column} = {value}", found.titles[name])
            figures = map(figure, (best, task.metrics["pcoc"], part.ndcg(name)))
            table.add_row(*map(escape, where), f"{part.rows:,}", *figures)
    stdout.print(table)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right")
    return table
