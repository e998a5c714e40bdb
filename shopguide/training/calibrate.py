"""Fit calibrators on the validation period; keep those that help users they did not see."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.bundle import (
    Beta,
    Calibrators,
    Isotonic,
    Platt,
    Probability,
    Scale,
    TaskEntry,
    Temperature,
)
from shopguide.bundle.calibration import log_odds
from shopguide.training.hashing import hash_share
from shopguide.training.logistic import fit_logistic
from shopguide.training.reading import WEIGHT
from shopguide.training.samples import as_floats
from shopguide.training.summary import CalibrationRecord

Array = NDArray[np.float64]
Choice = Literal["auto", "none", "isotonic", "platt", "beta", "temperature"]
_Rows = tuple[Array, Array, Array]  # prediction, outcome, weight, each [N]

_MOST = 1e6  # of a coefficient: beyond it the classes are as good as separated
_log = logging.getLogger(__name__)


def fit_calibrators(
    predictions: Mapping[str, Array],
    table: pa.Table,
    tasks: Sequence[TaskEntry],
    *,
    choice: Choice = "auto",
) -> tuple[Calibrators, dict[str, CalibrationRecord]]:
    """Fit calibrators on each half of the users, judge them on the other, refit what helps.

    A kind is kept only if it lowers the mean over the two halves: of the log-loss, or for an
    amount of |predicted ÷ observed − 1|. Of kinds that help alike, the one with fewer parameters.

    Args:
        predictions: raw expected outcome by task [N].
        table: the validation rows, in the same order.
        tasks: the bundle's tasks.
        choice: kind to try for binary tasks; `auto` tries all, `none` leaves every task as it is.
    """
    half = hash_share(table.column("user_id"), salt="calibration") < 0.5
    weight = as_floats(table, WEIGHT)
    kept: dict[str, Probability | Scale] = {}
    records: dict[str, CalibrationRecord] = {}
    for task in tasks:
        rows = (predictions[task.name], as_floats(table, task.name), weight)
        halves = (_select(rows, half), _select(rows, ~half))
        loss = log_loss if task.kind == "binary" else _bias
        fits = _to_try(task.kind, choice) if all(map(_is_mixed, halves)) else {}
        calibrator, records[task.name] = _choose(rows, halves, fits, loss)
        if calibrator is not None:
            kept[task.name] = calibrator
    chosen = ", ".join(f"{name} {record.kept}" for name, record in records.items())
    _log.info("calibration on %d validation rows: %s", table.num_rows, chosen)
    return Calibrators(tasks=kept), records


def fit_platt(p: Array, y: Array, w: Array) -> Platt | None:
    """Fit σ(slope · logit p + intercept) by maximum likelihood; None if the slope is not > 0."""
    log_p, log_q = log_odds(p)
    found = fit_logistic(np.column_stack([log_p - log_q, np.ones(len(p))]), y, w)
    if found is None or not 0 < found[0] < _MOST:
        return None
    return Platt(slope=float(found[0]), intercept=float(found[1]))


def fit_temperature(p: Array, y: Array, w: Array) -> Temperature | None:
    """Fit σ(logit p / temperature) by maximum likelihood; None if that turns the order round."""
    log_p, log_q = log_odds(p)
    found = fit_logistic((log_p - log_q)[:, None], y, w)
    if found is None or not 1 / _MOST < found[0] < _MOST:
        return None
    return Temperature(temperature=float(1 / found[0]))


def fit_beta(p: Array, y: Array, w: Array) -> Beta | None:
    """Fit σ(a · log p − b · log(1 − p) + c) by maximum likelihood, a, b ≥ 0; None if both are 0.

    Source: Kull et al. 2017, Algorithm 1: a coefficient below 0 is left out and the rest refitted.
    """
    log_p, log_q = log_odds(p)
    columns = np.column_stack([log_p, -log_q, np.ones(len(p))])
    kept = [0, 1]
    while kept:
        found = fit_logistic(columns[:, [*kept, 2]], y, w)
        if found is None or np.abs(found).max() >= _MOST:
            return None
        if (found[:-1] >= 0).all():
            slopes = dict(zip(kept, found, strict=False))
            a, b = (float(slopes.get(column, 0.0)) for column in (0, 1))
            return Beta(a=a, b=b, c=float(found[-1])) if max(a, b) > 0 else None
        kept.pop(int(np.argmin(found[:-1])))
    return None


def fit_isotonic(p: Array, y: Array, w: Array) -> Isotonic:
    """Fit an increasing step function, and join the centres of its steps by lines.

    The lines keep the order inside a step, so that calibrating makes no ties.
    """
    from sklearn.isotonic import IsotonicRegression  # a second to load

    model = IsotonicRegression(y_min=0, y_max=1)
    fitted = model.fit_transform(p, y, sample_weight=w)
    steps, block = np.unique(fitted, return_inverse=True)
    mass = np.bincount(block, weights=w)
    centres = np.bincount(block, weights=w * p) / np.where(mass > 0, mass, 1)
    inner = (mass > 0) & (steps > 0) & (steps < 1)  # at 0 and 1 the lines end
    inner &= (centres > 0) & (centres < 1)
    x = np.concatenate([[0.0], centres[inner], [1.0]])
    y_steps = np.concatenate([[0.0], steps[inner], [1.0]])
    rising = np.concatenate([[True], np.diff(x) > 0])  # centres that rounding made equal
    return Isotonic(x=x[rising].tolist(), y=y_steps[rising].tolist())


def fit_scale(p: Array, y: Array, w: Array) -> Scale | None:
    """Fit the factor that makes the predicted total the observed one; None without positives."""
    predicted, observed = float(w @ p), float(w @ y)
    return Scale(factor=observed / predicted) if observed > 0 and predicted > 0 else None


def log_loss(p: Array, y: Array, w: Array) -> float:
    """Return the weighted mean of −y·log p − (1 − y)·log(1 − p), p clipped to [1e-7, 1 − 1e-7]."""
    log_p, log_q = log_odds(p)
    return float((-y * log_p - (1 - y) * log_q) @ w / w.sum())


_Fit = Callable[[Array, Array, Array], Probability | Scale | None]

_FITS: Mapping[str, _Fit] = {
    "temperature": fit_temperature,
    "platt": fit_platt,
    "beta": fit_beta,
    "isotonic": fit_isotonic,
}
"""Calibrators of a binary task, the one with the fewest parameters first."""


def _to_try(kind: Literal["binary", "amount"], choice: Choice) -> Mapping[str, _Fit]:
    if choice == "none":
        return {}
    if kind == "amount":
        return {"scale": fit_scale}
    return {name: fit for name, fit in _FITS.items() if choice in ("auto", name)}


def _choose(
    rows: _Rows,
    halves: tuple[_Rows, _Rows],
    fits: Mapping[str, _Fit],
    loss: Callable[[Array, Array, Array], float],
) -> tuple[Probability | Scale | None, CalibrationRecord]:
    if not all(w.sum() > 0 for _, _, w in halves):
        return None, CalibrationRecord(kept="none", before=0.0, after=0.0)
    before = float(np.mean([loss(*part) for part in halves]))
    losses = {name: _held_out(fit, halves, loss) for name, fit in fits.items()}
    best = min(losses, key=losses.__getitem__, default=None)
    if best is None or losses[best] >= before:
        shown = before if best is None or np.isinf(losses[best]) else losses[best]
        return None, CalibrationRecord(kept="none", before=before, after=shown)
    refitted = fits[best](*rows)
    kept = "none" if refitted is None else refitted.kind
    return refitted, CalibrationRecord(kept=kept, before=before, after=losses[best])


def _held_out(
    fit: _Fit, halves: tuple[_Rows, _Rows], loss: Callable[[Array, Array, Array], float]
) -> float:
    """Return the mean loss of the halves, each calibrated by the other; ∞ if one cannot be."""
    found = []
    for fitted_on, judged_on in (halves, halves[::-1]):
        candidate = fit(*fitted_on)
        if candidate is None:
            return np.inf
        p, y, w = judged_on
        found.append(loss(candidate.apply(p), y, w))
    return float(np.mean(found))


def _bias(p: Array, y: Array, w: Array) -> float:
    """Return |predicted ÷ observed − 1|; 0 when nothing was observed."""
    observed = float(w @ y)
    return abs(float(w @ p) / observed - 1) if observed > 0 else 0.0


def _select(rows: _Rows, chosen: NDArray[np.bool_]) -> _Rows:
    p, y, w = rows
    return p[chosen], y[chosen], w[chosen]


def _is_mixed(rows: _Rows) -> bool:
    """Whether some rows with weight have an outcome and some have none."""
    _, y, w = rows
    return bool((w[y > 0] > 0).any() and (w[y <= 0] > 0).any())
