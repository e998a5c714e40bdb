"""How well a bundle's rankings do: by its one score, and by each task's prediction alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.catalogue import CatalogueMetrics, catalogue_metrics
from shopguide.evaluation.lists import ListMetrics, RankedLists, list_metrics, sums
from shopguide.evaluation.task_metrics import finite
from shopguide.objective.replay import Requests

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The items that lists draw from.

    Args:
        item: index of each row's item [N].
        items: I.
        popularity: of each item before the lists [I], Σ = 1; None where it is not known.
    """

    item: NDArray[np.int64]
    items: int
    popularity: Floats | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """What one order of the lists does.

    Args:
        by: `score`, or the task whose prediction ranks.
        tasks: metrics by task whose outcome is to be on top.
        catalogue: what the top shows of the catalogue.
    """

    by: str
    tasks: Mapping[str, ListMetrics]
    catalogue: CatalogueMetrics

    def to_dict(self) -> dict[str, object]:
        """Return the fields as JSON has them."""
        tasks = {name: _finite_fields(asdict(found)) for name, found in self.tasks.items()}
        return {
            "by": self.by,
            "tasks": tasks,
            "catalogue": _finite_fields(asdict(self.catalogue)),
        }


def rankings(
    requests: Requests,
    scores: Mapping[str, Floats],
    tasks: list[str],
    catalogue: Catalogue,
    *,
    k: int,
) -> list[Ranking]:
    """Return the metrics of several orders of the same lists.

    `score` is judged on the outcomes of every task, a task's prediction on its own. A request
    counts with the mean weight of its rows.

    Args:
        requests: logged outcomes.
        scores: what ranks, by `score` or task [N].
        tasks: of the spec.
        catalogue: the rows' items.
        k: places that count.
    """
    number = len(requests.user)
    rows = np.bincount(requests.request, minlength=number)
    weight = sums(requests.request, requests.weight, number) / rows
    found = []
    for by, score in scores.items():
        lists = RankedLists.of(requests.request, score)
        judged = tasks if by == "score" else [by]
        found.append(
            Ranking(
                by,
                {
                    task: list_metrics(lists, requests.outcomes[task], k=k, weights=weight)
                    for task in judged
                },
                catalogue_metrics(
                    lists,
                    catalogue.item,
                    items=catalogue.items,
                    k=k,
                    weights=weight,
                    popularity=catalogue.popularity,
                ),
            )
        )
    return found


def _finite_fields(fields: Mapping[str, float]) -> dict[str, float | int | None]:
    return {n: finite(v) if isinstance(v, float) else v for n, v in fields.items()}
