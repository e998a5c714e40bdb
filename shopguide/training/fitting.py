"""Learn what the training rows look like, one column at a time."""

from collections.abc import Iterable, Sequence

from shopguide.bundle import InputProfile, Preprocessing
from shopguide.bundle.preprocessing import SHOWN_AT
from shopguide.features.catalogue import ModelInput
from shopguide.spec.model import Model
from shopguide.training.preprocess import fit_preprocessing
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
    fitted, profiles = [], {}
    for column in inputs:
        names = [column.name] if column.kind != "recency" else [column.name, SHOWN_AT]
        most = None if column.kind == "categorical" else MOST_ROWS
        table = train.columns(*names, most=most)
        fitted.append(
            fit_preprocessing(
                table, [column], min_count=model.min_count, max_vocabulary=model.max_vocabulary
            )
        )
        profiles[column.name] = profile_input(table, column)
    return _joined(fitted), profiles


def _joined(parts: Iterable[Preprocessing]) -> Preprocessing:
    """Return one preprocessing of all parts' inputs: each of its fields is a list of inputs."""
    parts = list(parts)
    return Preprocessing(
        **{
            field: [entry for part in parts for entry in getattr(part, field)]
            for field in Preprocessing.model_fields
        }
    )
