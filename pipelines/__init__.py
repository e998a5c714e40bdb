"""Compositions of the components, and `python -m pipelines`.

Example:
    >>> from pipelines import train_and_promote
    >>> train_and_promote.pipeline_spec.pipeline_info.name
    'train-and-promote'
"""

from pipelines.refresh_features import refresh_features
from pipelines.train_and_promote import train_and_promote

PIPELINES = {"train_and_promote": train_and_promote, "refresh_features": refresh_features}
"""Every pipeline by the name of its compiled file."""

__all__ = ["PIPELINES", "refresh_features", "train_and_promote"]
