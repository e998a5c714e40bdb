"""How well a bundle's rankings do: by its one score, and by each task's prediction alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

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
        popularity: of each item before the lists [I], in (0, 1]; None where it is not known.
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
    rows: NDArray[np.int64] | None = None,
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
        rows: that the lists are cut down to, and with them the catalogue; None: all.
    """
    picked: slice | NDArray[np.int64] = slice(None) if rows is None else rows
    part = _Part.of(requests, catalogue, rows)
    found = []
    for by, score in scores.items():
        lists = RankedLists.of(part.request, score[picked])
        judged = {t: requests.outcomes[t][picked] for t in (tasks if by == "score" else [by])}
        found.append(
            Ranking(
                by,
                {
                    task: list_metrics(lists, gains, k=k, weights=part.weight)
                    for task, gains in judged.items()
                },
                catalogue_metrics(
                    lists,
                    part.catalogue.item,
                    items=part.catalogue.items,
                    k=k,
                    weights=part.weight,
                    popularity=part.catalogue.popularity,
                ),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """Lists cut down to some rows.

    Args:
        request: of each row [n], 0 … r − 1.
        weight: of each list [r]: the mean of its rows'.
        catalogue: the items of the rows.
    """

    request: NDArray[np.int64]
    weight: Floats
    catalogue: Catalogue

    @classmethod
    def of(cls, requests: Requests, catalogue: Catalogue, rows: NDArray[np.int64] | None) -> Self:
        request, weight = requests.request, requests.weight
        if rows is not None:
            request, weight = np.unique(request[rows], return_inverse=True)[1], weight[rows]
            seen, item = np.unique(catalogue.item[rows], return_inverse=True)
            popularity = None if catalogue.popularity is None else catalogue.popularity[seen]
            catalogue = Catalogue(item, len(seen), popularity)
        sizes = np.bincount(request)
        return cls(request, sums(request, weight, len(sizes)) / sizes, catalogue)


def _finite_fields(fields: Mapping[str, float]) -> dict[str, float | int | None]:
    return {n: finite(v) if isinstance(v, float) else v for n, v in fields.items()}
