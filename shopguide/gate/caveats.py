"""What a reader of the report should look at, though it decides nothing."""

from collections.abc import Iterator, Mapping

from shopguide.gate.decision import TaskQuality
from shopguide.gate.gains import Gains
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


def warnings_about(gains: Gains, tasks: Mapping[str, TaskQuality], spec: Spec) -> tuple[str, ...]:
    """Return the warnings of a decision, most specific first.

    Args:
        gains: the comparison.
        tasks: quality by task.
        spec: reads `gate`.
    """
    return (*_small_slices(gains, spec), *_drift(tasks), REPLAY, INTERFERENCE)


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
