"""The sections of a spec that follow from the log: attribution, features, objective, gate."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import duckdb

from shopguide.onboarding import measure
from shopguide.onboarding.catalogue import choose_period, views, weights
from shopguide.onboarding.draft import Draft, paid_kind

_SMALL = 50_000
_LEAST_WINDOW = 0.1
"""Hours that are waited for the outcomes of logged rows, also where these come at once."""


def attribution(
    draft: Draft, connection: duckdb.DuckDBPyConnection, log: measure.Log
) -> dict[str, object]:
    """Return which outcome belongs to which impression."""
    if draft.exposure.logged and ("request_id" in draft.found.columns or draft.found.outcomes):
        draft.tell("attribution.match", "request", "outcomes name the row or list they are of")
        taken = measure.outcome_gap(connection, draft.exposure.event)
        window = max(round(taken.total_seconds() / 3600, 2), _LEAST_WINDOW)
        why = "nearly all outcomes come within; what is younger at the log's end is not yet judged"
        draft.tell("attribution.window_hours", f"{window:g}", why)
        return {"match": "request", "window_hours": window}
    window, held = measure.choose_window(connection, log, draft.exposure.kinds)
    why = f"{held:.0%} of the outcomes come within {window:g} h of the last impression before them"
    draft.tell("attribution.window_hours", f"{window:g}", why, sure=held >= 0.9)
    return {"match": "user_item", "window_hours": window}


def features(draft: Draft, log: measure.Log, tasks: Sequence[str]) -> dict[str, object]:
    """Return the catalogue: windows that fit the length of the log."""
    period, windows = choose_period(log.span)
    users = "user_id" in draft.found.columns
    kinds = draft.attributes.kinds
    event = None if draft.found.outcomes else draft.exposure.event
    outcomes = [task for task in tasks if task != "order_value"]
    section: dict[str, object] = {
        "period": period,
        "views": views(
            event,
            outcomes,
            windows,
            users=users,
            category="category" in kinds["item_attributes"],
            paid=paid_kind(draft) if "order_value" in tasks else None,
        ),
        **{name: found for name, found in kinds.items() if found},
        "id_inputs": ["user_id", "item_id"] if users else ["item_id"],
    }
    why = f"the log is {length(log.span)} long; windows in whole {period}s before the impression"
    draft.tell("features.period", period, why)
    return section


def length(span: timedelta) -> str:
    """Return a length of time as a person reads it."""
    hours = span.total_seconds() / 3600
    return f"{hours:.1f} hours" if hours < 72 else f"{hours / 24:.0f} days"


def sizes(draft: Draft, log: measure.Log) -> dict[str, object]:
    """Return a small network for a small log; otherwise the defaults hold."""
    if log.impressions >= _SMALL:
        return {}
    draft.tell("model", "small", f"{log.impressions:,} impressions teach no large network")
    return {
        "model": {"embedding_dim": 8, "experts": 2, "hidden": [32], "tower": [16]},
        "training": {"batch_size": 512},
    }


def objective(
    draft: Draft,
    connection: duckdb.DuckDBPyConnection,
    log: measure.Log,
    tasks: Sequence[str],
) -> dict[str, object]:
    """Return goals of equal weight, the lists' length, and weights of logged propensities."""
    goals = {
        "revenue" if task == "order_value" else f"{task}s": {"task": task, "weight": weight}
        for task, weight in zip(tasks, weights(len(tasks)), strict=True)
    }
    k = max(2, min(5, int(log.list_size)))
    section: dict[str, object] = {"goals": goals, "discount": {"kind": "dcg", "k": k}}
    draft.tell("objective.goals", "equal weights", "say what each is worth to the shop", sure=False)
    draft.tell(
        "objective.discount.k", k, f"nine lists in ten have no more than {log.list_size:.0f} rows"
    )
    if "propensity" in draft.found.columns:
        least, most, usual = measure.row(
            connection,
            "SELECT min(propensity), max(propensity), quantile_cont(1 / propensity, 0.95) "
            "FROM impressions",
        )
        if most > least:
            clip = float(f"{usual:.2g}")
            section["importance"] = {"propensity": "inverse", "clip": clip}
            why = f"propensities from {least:.2g} to {most:.2g}; one weight in twenty is clipped"
            draft.tell("objective.importance", f"inverse, clip {clip:g}", why, sure=False)
        else:
            why = f"every propensity is {most:g}: weights would all be the same"
            draft.tell("objective.importance", "ignored", why)
    return section


def gate(draft: Draft, document: dict[str, Any]) -> dict[str, object]:
    """Return what a first champion must beat, and the floors."""
    tasks = [task for task in document["tasks"] if task != "order_value"]
    views_of = document["features"]["views"]
    measured = views_of[f"item_{tasks[-1]}"]["measures"]["users"]["windows"]
    baseline = f"item_{tasks[-1]}_users_{measured[-1]}"
    draft.tell("gate.baseline", baseline, "popularity, which a first champion must beat")
    floors = {tasks[-1]: {"auc": 0.55}}
    draft.tell("gate.floors", "AUC 0.55", "little more than chance; say what is enough", sure=False)
    margins = dict.fromkeys(document["objective"]["goals"], 0.05)
    return {"min_gain": 0.0, "margins": margins, "floors": floors, "baseline": baseline}
