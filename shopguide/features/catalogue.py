"""The catalogue of the model's inputs: their names, kinds, and where each comes from."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from shopguide.errors import ShopguideError
from shopguide.spec import Spec
from shopguide.spec.features import Features, Measure, View

TIMESTAMP = "event_timestamp"
"""Column of a snapshot with the time from which it holds."""

USER_VIEW = "user_attributes"
ITEM_VIEW = "item_attributes"
"""Feature views of the static attributes."""


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One column that the model reads.

    Args:
        name: column of the training set.
        kind: categorical (text), numeric, recency (a time that enters as an age), or sequence
            (texts, from old to new).
        view: Feast feature view that serves it; None for ids and for the request's context.
        doc: what it is, for people.
    """

    name: str
    kind: Literal["categorical", "numeric", "recency", "sequence"]
    view: str | None
    doc: str


def model_inputs(spec: Spec) -> tuple[ModelInput, ...]:
    """Return every input of the model, in the order in which the model reads them.

    Args:
        spec: checked spec; reads `features`.

    Raises:
        ShopguideError: two inputs have the same name.
    """
    features = spec.features
    inputs = [
        *(ModelInput(name, "categorical", None, f"id: {name}") for name in features.id_inputs),
        *(
            ModelInput(name, kind, USER_VIEW, f"attribute of the user: {name}")
            for name, kind in features.user_attributes.items()
        ),
        *(
            ModelInput(name, kind, ITEM_VIEW, f"attribute of the item: {name}")
            for name, kind in features.item_attributes.items()
        ),
        *(
            ModelInput(name, kind, None, f"context of the impression: {name}")
            for name, kind in features.context.items()
        ),
        *(
            column
            for name, view in features.views.items()
            for column in view_columns(name, view, features.period)
        ),
    ]
    _refuse_duplicates(inputs)
    return tuple(inputs)


def request_inputs(spec: Spec) -> frozenset[str]:
    """Return the inputs that are alike for all candidates of a request that says no otherwise.

    Args:
        spec: reads `features`.
    """
    keys = {name: set(view.keys) for name, view in spec.features.views.items()}
    keys |= {USER_VIEW: {"user_id"}, ITEM_VIEW: {"item_id"}}
    return frozenset(
        column.name
        for column in model_inputs(spec)
        if (column.view is None and column.name != "item_id")
        or (column.view is not None and keys[column.view] <= {"user_id", "place_id"})
    )


def check_names(spec: Spec) -> None:
    """See that the gate names columns that there will be, before hours go into a model.

    Args:
        spec: reads `gate` and `features`.

    Raises:
        ShopguideError: the baseline or a slice is no input of the model; all of them at once.
    """
    inputs = {column.name: column.kind for column in model_inputs(spec)}
    wanted = [("gate.slices", name, "") for name in spec.gate.slices]
    wanted += [("gate.waive_leaks", name, "") for name in spec.gate.waive_leaks]
    if spec.gate.baseline is not None:
        wanted.append(("gate.baseline", spec.gate.baseline, "numeric"))
    problems = []
    for field, name, kind in wanted:
        known = [column for column, found in inputs.items() if not kind or found == kind]
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else "Name an input of `features`"
            what = f"no {kind} input is called {name!r}".replace("  ", " ")
            problems.append(ShopguideError(f"spec {field}", what, hint))
    if problems:
        raise ShopguideError.combined(problems)


def view_columns(name: str, view: View, period: str) -> list[ModelInput]:
    """Return the columns of one view, in the order of its Feast feature view.

    Args:
        name: name of the view.
        view: its definition.
        period: hour, day or week, for the documentation.
    """
    columns: list[ModelInput] = []
    for measure_name, measure in view.measures.items():
        what = _measure_doc(measure, view)
        if measure.last is not None:
            columns.append(ModelInput(f"{name}_{measure_name}", "recency", name, what))
        if measure.sequence is not None:
            columns.append(ModelInput(f"{name}_{measure_name}", "sequence", name, what))
        for window in measure.windows:
            doc = f"{what} in the {window} {period}s before, by {' and '.join(view.keys)}"
            columns.append(ModelInput(f"{name}_{measure_name}_{window}", "numeric", name, doc))
    for ratio_name, ratio in view.ratios.items():
        doc = f"{name}_{ratio.of} per {name}_{ratio.per}"
        columns.append(ModelInput(f"{name}_{ratio_name}", "numeric", name, doc))
    return columns


def key_attributes(features: Features) -> list[str]:
    """Return the item attributes that serve as keys of views, in order of appearance."""
    keys = [key for view in features.views.values() for key in view.keys]
    ids = ("user_id", "item_id", "place_id")
    return [key for key in dict.fromkeys(keys) if key not in ids]


def _measure_doc(measure: Measure, view: View) -> str:
    rows = f"{view.kind} events" if view.table == "events" else view.table
    if measure.count_distinct is not None:
        return f"distinct {measure.count_distinct} of {rows}"
    if measure.sum is not None:
        return f"sum of {measure.sum} of {rows}"
    if measure.sequence is not None:
        by = " and ".join(view.keys)
        return f"{measure.sequence} of the last {measure.length} {rows}, newest last, by {by}"
    return f"time of the last of the {rows}, by {' and '.join(view.keys)}"


def _refuse_duplicates(inputs: list[ModelInput]) -> None:
    seen: set[str] = set()
    for column in inputs:
        if column.name in seen:
            raise ShopguideError(
                "spec features", f"two inputs are called {column.name!r}", "Rename one of them"
            )
        seen.add(column.name)
