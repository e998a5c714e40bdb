"""A/A tests of families that share one error: several challengers, and a champion's many nights."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shopguide.gate.arms import Arms
from shopguide.gate.delta import relative_changes, values
from shopguide.gate.relabelling import TOGETHER, needed_gains
from shopguide.gate.simultaneous import simultaneous_level
from shopguide.gate.statistics import Replicated, replicate
from shopguide.spec.gate import Gate
from shopguide.spec.objective import Goal

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SEVERAL, _NIGHTLY = 1, 2  # parts of a seed: no two kinds of run share their luck


@dataclass(frozen=True, slots=True)
class Families:
    """What happened to families without a better member; N of them.

    Args:
        promoted: whether any member was promoted, the error shared [N].
        uncorrected: the same with the whole error for each member [N].
    """

    promoted: Flags
    uncorrected: Flags


def several(
    arms: Arms,
    goals: Mapping[str, Goal],
    gate: Gate,
    *,
    challengers: int,
    runs: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> Families:
    """Judge C challengers against a champion on one test period, none better than another.

    For each user, the champion and every challenger draw one of the two rankings by a coin, so all
    1 + C are alike, and challengers are correlated through the champion that they share. The error
    is shared by max-T, as the gate does it.

    Args:
        arms: of the two rankings.
        goals: K goals.
        gate: reads `confidence`, `replicates`, `min_gain` (null: 0) and `margins`.
        challengers: C ≥ 1.
        runs: N.
        seed: of the coins and of the bootstraps.
        progress: told the number of runs that are done.
    """
    promoted, uncorrected = (np.zeros(runs, dtype=np.bool_) for _ in range(2))
    alpha, together = 1 - gate.confidence, max(1, TOGETHER // challengers)
    for first in range(0, runs, together):
        batch = range(first, min(first + together, runs))
        streams = [np.random.SeedSequence([seed, _SEVERAL, run]) for run in batch]
        pairs = [pair for stream in streams for pair in _alike(arms, challengers, stream)]
        drawn = iter(_replicate(pairs, goals, gate.replicates, streams[0]))
        for run in batch:
            family = list(islice(drawn, challengers))
            gains = [one.gains for one in family if one.gains is not None]
            single = simultaneous_level(gains, alpha)
            # a bound at a smaller error is lower: only who passes with the whole error can pass
            passing = [one for one in family if _promotes(one, alpha, goals, gate)]
            uncorrected[run] = bool(passing)
            promoted[run] = any(_promotes(one, single, goals, gate) for one in passing)
        if progress is not None:
            progress(batch.stop)
    return Families(promoted, uncorrected)


def nightly(
    arms: Arms,
    goals: Mapping[str, Goal],
    gate: Gate,
    *,
    alphas: Sequence[float],
    replicates: Sequence[int],
    runs: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> Families:
    """Judge a challenger a night against one champion, none better; a run is all its nights.

    Nights are relabelled independently, as on fresh users: what they had in common would only make
    several false promotions of one champion fall together. A night whose estimate lies less than
    z_{1 − 2·error} standard errors above `min_gain` is refused without a bootstrap, for the bound
    at a night's share of the error lies further off.

    Args:
        arms: of the two rankings.
        goals: K goals.
        gate: reads `confidence`, `min_gain` (null: 0) and `margins`.
        alphas: error that each night may take, one-sided; 0: it promotes nothing.
        replicates: of each night's bootstrap.
        runs: N.
        seed: of the relabellings and of the bootstraps.
        progress: told the number of runs that are done.
    """
    promoted, uncorrected = (np.zeros(runs, dtype=np.bool_) for _ in range(2))
    far = _far(arms, goals, gate, nights=len(alphas), runs=runs, seed=seed)
    done = 0
    for number in sorted(set(replicates)):
        members = [(run, night) for run, night in far if replicates[night] == number]
        for first in range(0, len(members), TOGETHER):
            batch = members[first : first + TOGETHER]
            pairs = [arms.swapped(_exchanged(arms, seed, *member)) for member in batch]
            stream = np.random.SeedSequence([seed, _NIGHTLY, *batch[0], number])
            drawn = _replicate(pairs, goals, number, stream)
            for (run, night), one in zip(batch, drawn, strict=True):
                if _promotes(one, 1 - gate.confidence, goals, gate):
                    uncorrected[run] = True
                    promoted[run] |= _promotes(one, alphas[night], goals, gate)
            done += len(batch)
            if progress is not None:
                progress(runs * done // len(far))
    return Families(promoted, uncorrected)


def estimates(arms: Arms, goals: Mapping[str, Goal], exchanged: Flags) -> Array:
    """Return J − 1 of each relabelling [N]; NaN where a goal has no value.

    Args:
        arms: of the two rankings.
        goals: K goals.
        exchanged: users whose rankings are exchanged [N, U].
    """
    moved = exchanged.astype(np.float64) @ (arms.challenger - arms.reference)
    requests = np.full((len(exchanged), 1), arms.requests.sum())
    sides = (arms.reference.sum(axis=0) + moved, arms.challenger.sum(axis=0) - moved)
    changes = relative_changes(values(np.column_stack([*sides, requests]), arms.tasks, goals))
    weights = np.array([goal.weight for goal in goals.values()])
    found: Array = changes[:, weights > 0] @ weights[weights > 0]
    return found


def _alike(arms: Arms, challengers: int, stream: np.random.SeedSequence) -> Iterator[Arms]:
    coins = np.random.default_rng(stream).random((1 + challengers, len(arms.requests))) < 0.5
    sides = [np.where(coin[:, None], arms.challenger, arms.reference) for coin in coins]
    for side in sides[1:]:
        yield replace(arms, reference=sides[0], challenger=side)


def _replicate(
    pairs: Sequence[Arms],
    goals: Mapping[str, Goal],
    replicates: int,
    stream: np.random.SeedSequence,
) -> list[Replicated]:
    seed = int(stream.generate_state(1, np.uint64)[0])
    return replicate(pairs, goals, replicates=replicates, seed=seed)


def _promotes(one: Replicated, alpha: float, goals: Mapping[str, Goal], gate: Gate) -> bool:
    if not alpha > 0:
        return False
    return needed_gains(one.at(1 - alpha), list(goals), gate)[2] < 0


def _far(
    arms: Arms, goals: Mapping[str, Goal], gate: Gate, *, nights: int, runs: int, seed: int
) -> list[tuple[int, int]]:
    """Return the run and night of the relabellings that deserve a bootstrap.

    One without a value of J promotes nothing, and is none of them.
    """
    found = np.empty((runs, nights))
    for run in range(runs):
        exchanged = np.array([_exchanged(arms, seed, run, night) for night in range(nights)])
        found[run] = estimates(arms, goals, exchanged)
    z = NormalDist().inv_cdf(max(1 - 2 * (1 - gate.confidence), 0.5))
    beyond = (gate.min_gain or 0.0) + z * float(np.nanstd(found))
    return [(int(run), int(night)) for run, night in np.argwhere(found > beyond)]


def _exchanged(arms: Arms, seed: int, run: int, night: int) -> Flags:
    stream = np.random.default_rng(np.random.SeedSequence([seed, _NIGHTLY, run, night]))
    exchanged: Flags = stream.random(len(arms.requests)) < 0.5
    return exchanged
