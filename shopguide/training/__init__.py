"""Training: from a training set to a calibrated, exported and checked model bundle.

Example:
    >>> from shopguide.training import train_mtl
    >>> train_mtl(spec, "training_set", "model").valid_auc["click"]  # doctest: +SKIP
    0.79
"""

from shopguide.training import _openmp  # noqa: F401 - before torch
from shopguide.training.candidates import train_candidate, train_candidates
from shopguide.training.loop import Progress, Tick
from shopguide.training.summary import EpochRecord, TrainingRecord, TrainingSummary
from shopguide.training.train import Surroundings, train_mtl

__all__ = [
    "EpochRecord",
    "Progress",
    "Surroundings",
    "Tick",
    "TrainingRecord",
    "TrainingSummary",
    "train_candidate",
    "train_candidates",
    "train_mtl",
]
