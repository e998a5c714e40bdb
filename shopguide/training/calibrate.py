"""Fit calibrators on the validation period; keep those that help users they did not see."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from shopguide.bundle import Calibrators, Isotonic, Platt, Scale, TaskEntry
from shopguide.training.hashing import hash_share
from shopguide.training.reading import WEIGHT
from shopguide.training.samples import as_floats
from shopguide.training.summary import CalibrationRecord

_EDGE = 1e-7
_log = logging.getLogger(__name__)
Array = NDArray[np.float64]


def fit_calibrators(
    predictions: Mapping[str, Array], table: pa.Table, tasks: Sequence[TaskEntry]
) -> tuple[Calibrators, dict[str, CalibrationRecord]]:
    """Fit a calibrator per task on half of the users, judge it on the rest, refit what is kept.

    Args:
        predictions: raw expected outcome by task [N].
        table: the validation rows, in the same order.
        tasks: the bundle's tasks.
    """
    half = hash_share(table.column("user_id"), salt="calibration") < 0.5
    weight = as_floats(table, WEIGHT)
    kept: dict[str, Isotonic | Platt | Scale] = {}
    records: dict[str, CalibrationRecord] = {}
    for task in tasks:
        rows = (predictions[task.name], as_floats(table, task.name), weight)
        choose = _choose_binary if task.kind == "binary" else _choose_amount
        calibrator, records[task.name] = choose(rows, half)
        if calibrator is not None:
            kept[task.name] = calibrator
    chosen = ", ".join(f"{name} {record.kept}" for name, record in records.items())
    _log.info("calibration on %d validation rows: %s", table.num_rows, chosen)
    return Calibrators(tasks=kept), records


_Rows = tuple[Array, Array, Array]


def _choose_binary(
    rows: _Rows, half: NDArray[np.bool_]
) -> tuple[Isotonic | Platt | None, CalibrationRecord]:
    fitted_on, judged_on = _select(rows, half), _select(rows, ~half)
    p, y, w = judged_on
    before = log_loss(p, y, w) if w.sum() > 0 else 0.0
    best, after = None, np.inf
    if _has_both(fitted_on) and w.sum() > 0:
        for fit in (fit_platt, fit_isotonic):
            candidate = fit(*fitted_on)
            loss = np.inf if candidate is None else log_loss(candidate.apply(p), y, w)
            if loss < after:
                best, after = fit, loss
    if best is None or after >= before:
        shown = after if np.isfinite(after) else before
        return None, CalibrationRecord(kept="none", before=before, after=shown)
    refitted = best(*rows)
    kept = "none" if refitted is None else refitted.kind
    return refitted, CalibrationRecord(kept=kept, before=before, after=after)


def _choose_amount(rows: _Rows, half: NDArray[np.bool_]) -> tuple[Scale | None, CalibrationRecord]:
    trial, (p, y, w) = fit_scale(*_select(rows, half)), _select(rows, ~half)
    before = _bias(p, y, w)
    after = before if trial is None else _bias(trial.apply(p), y, w)
    if after >= before:
        return None, CalibrationRecord(kept="none", before=before, after=after)
    return fit_scale(*rows), CalibrationRecord(kept="scale", before=before, after=after)


def fit_platt(p: Array, y: Array, w: Array) -> Platt | None:
    """Fit σ(slope · logit p + intercept) by maximum likelihood; None if the slope is not > 0."""
    inside = np.clip(p, _EDGE, 1 - _EDGE)
    logit = np.log(inside) - np.log1p(-inside)
    model = LogisticRegression(C=np.inf).fit(logit[:, None], y, sample_weight=w)
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    return Platt(slope=slope, intercept=intercept) if slope > 0 else None


def fit_isotonic(p: Array, y: Array, w: Array) -> Isotonic:
    """Fit an increasing step function, and join the centres of its steps by lines.

    The lines keep the order inside a step, so that calibrating makes no ties.
    """
    model = IsotonicRegression(y_min=0, y_max=1)
    fitted = model.fit_transform(p, y, sample_weight=w)
    steps, block = np.unique(fitted, return_inverse=True)
    mass = np.bincount(block, weights=w)
    centres = np.bincount(block, weights=w * p) / np.where(mass > 0, mass, 1)
    inner = (mass > 0) & (steps > 0) & (steps < 1)  # at 0 and 1 the lines end
    x = np.concatenate([[0.0], centres[inner], [1.0]])
    return Isotonic(x=x.tolist(), y=np.concatenate([[0.0], steps[inner], [1.0]]).tolist())


def fit_scale(p: Array, y: Array, w: Array) -> Scale | None:
    """Fit the factor that makes the predicted total the observed one; None without positives."""
    predicted, observed = float(w @ p), float(w @ y)
    return Scale(factor=observed / predicted) if observed > 0 and predicted > 0 else None


def log_loss(p: Array, y: Array, w: Array) -> float:
    """Return the weighted mean of −y·log p − (1 − y)·log(1 − p), p clipped to [1e-7, 1 − 1e-7]."""
    inside = np.clip(p, _EDGE, 1 - _EDGE)
    rows = -y * np.log(inside) - (1 - y) * np.log1p(-inside)
    return float(rows @ w / w.sum())


def _bias(p: Array, y: Array, w: Array) -> float:
    """Return |predicted ÷ observed − 1|; 0 when nothing was observed."""
    observed = float(w @ y)
    return abs(float(w @ p) / observed - 1) if observed > 0 else 0.0


def _select(rows: _Rows, chosen: NDArray[np.bool_]) -> _Rows:
    p, y, w = rows
    return p[chosen], y[chosen], w[chosen]


def _has_both(rows: _Rows) -> bool:
    _, y, w = rows
    return 0 < float(w @ y) < float(w.sum())
