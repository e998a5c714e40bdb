"""Learn what the training rows look like, one column at a time."""

from collections.abc import Iterable, Sequence

from shopguide.bundle import InputProfile, Preprocessing
from shopguide.bundle.preprocessing import SHOWN_AT
from shopguide.features.catalogue import ModelInput
from shopguide.spec.model import Model
from shopguide.training.named import require_inputs
from shopguide.training.preprocess import (
    POSITION,
    fit_cross,
    fit_list,
    fit_position,
    fit_preprocessing,
)
from shopguide.training.profiling import profile_input
from shopguide.training.reading import SplitFile

MOST_ROWS = 1_000_000
"""Rows above which a number's quantiles come from every n-th row: of a million, a quantile's
standard error is at most 0.05 % of the rows. Values of categoricals are always counted in full."""


def fit_inputs(
    train: SplitFile, inputs: Sequence[ModelInput], model: Model
) -> tuple[Preprocessing, dict[str, InputProfile]]:
    """Fit the preprocessing of every input, and profile it.

    Args:
        train: the training rows.
        inputs: the model's inputs.
        model: the spec's model section.
    """
    require_inputs(inputs, model)
    fitted, profiles = [], {}
    for column in inputs:
        if column.kind == "sequence":
            continue  # one of model.lists
        names = [column.name] if column.kind != "recency" else [column.name, SHOWN_AT]
        most = None if column.kind == "categorical" else MOST_ROWS
        table = train.columns(*names, most=most)
        fitted.append(fit_preprocessing(table, [column], model))
        profiles[column.name] = profile_input(table, column)
    fitted.append(_fit_others(train, model))
    return _joined(fitted), profiles


def _fit_others(train: SplitFile, model: Model) -> Preprocessing:
    """Fit what is more than one value of one column: crosses, lists, and the position."""
    crosses = [fit_cross(train.columns(*parts), parts, model) for parts in model.crosses]
    if model.position_bias:
        crosses.append(fit_position(train.columns(POSITION)))
    lists = [fit_list(train.columns(name), name, model) for name in model.lists]
    return Preprocessing(categorical=crosses, numeric=[], lists=lists)


def _joined(parts: Iterable[Preprocessing]) -> Preprocessing:
    """Return one preprocessing of all parts' inputs: each of its fields is a list of inputs."""
    parts = list(parts)
    return Preprocessing(
        **{
            field: [entry for part in parts for entry in getattr(part, field)]
            for field in Preprocessing.model_fields
        }
    )
