"""What a reader of the report should look at, though it decides nothing."""

from collections.abc import Iterator, Mapping, Sequence

from shopguide.gate.decision import Guard, TaskQuality
from shopguide.gate.gains import Gains
from shopguide.gate.spending import Spending
from shopguide.gate.wording import budget_sentence
from shopguide.spec import Spec

_DRIFT = 0.1  # |predicted / observed − 1| worth a word, below the guard's limit

REPLAY = (
    "Replay: both rankings are credited with what happened on the lists that were shown. What "
    "people would have done with lists they never saw is not in the logs."
)
"""What replay cannot say, repeated in every report."""

INTERFERENCE = (
    "Users are taken as independent. Where they compete for the same stock or budget, the "
    "intervals are too narrow."
)
"""What a bootstrap over users cannot say, repeated in every report."""


def warnings_about(
    gains: Gains,
    tasks: Mapping[str, TaskQuality],
    guards: Sequence[Guard],
    spec: Spec,
    spending: Spending | None,
) -> tuple[str, ...]:
    """Return the warnings of a decision, most specific first.

    Args:
        gains: the comparison.
        tasks: quality by task.
        guards: of the challenger.
        spec: reads `gate`.
        spending: of the champion's error; None without a champion.
    """
    return (
        *_alike(gains),
        *_waived(guards),
        *_small_slices(gains, spec),
        *_drift(tasks),
        *_unspent(spending),
        REPLAY,
        INTERFERENCE,
    )


def _alike(gains: Gains) -> Iterator[str]:
    found = gains.objective
    if found is not None and found.estimate == found.lower == found.upper == 0:
        yield (
            "Both models bring the same to every user of the test period: they rank alike, as the "
            "same data, spec and seed make them. There is nothing to tell apart."
        )


def _waived(guards: Sequence[Guard]) -> Iterator[str]:
    names = [
        guard.name.partition(":")[2].rpartition(".")[0]
        for guard in guards
        if guard.rule == "waived" and guard.name.startswith("feature_")
    ]
    if names:
        yield f"Features that tell a label, waived by the spec: {', '.join(names)}."


def _unspent(spending: Spending | None) -> Iterator[str]:
    if spending is not None and spending.former:
        yield budget_sentence(spending)
    elif spending is not None and spending.function == "none":
        yield (
            "Every run takes the whole error (gate.alpha_spending.function is none): over many "
            "runs of one champion a false promotion becomes likely."
        )


def _small_slices(gains: Gains, spec: Spec) -> Iterator[str]:
    small = {(s.column, s.value) for s in gains.slices if s.passes is None}
    if small:
        listed = ", ".join(f"{column} = {value}" for column, value in sorted(small))
        yield (
            f"Slices too small to be judged (fewer than {spec.gate.min_users} users, or a goal "
            f"without outcomes): {listed}."
        )


def _drift(tasks: Mapping[str, TaskQuality]) -> Iterator[str]:
    for task in tasks.values():
        pcoc = task.challenger.metric("pcoc")
        if pcoc is not None and abs(pcoc - 1) > _DRIFT:
            way = "high" if pcoc > 1 else "low"
            yield (
                f"The challenger's predictions of {task.title} run {100 * abs(pcoc - 1):.0f} % "
                f"{way} on the test period."
            )
