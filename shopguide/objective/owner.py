"""The owner's choice: a point of the front taken by hand, from the plot."""

from pathlib import Path

from shopguide.bundle import load_bundle, with_fusion
from shopguide.errors import ShopguideError
from shopguide.fusion import Fusion
from shopguide.objective.solution import read_solution
from shopguide.objective.summary import SolveSummary, summarise

OWNER = "owner"
"""What `solution.json` calls the solver when a person chose."""


def take_point(bundle: str | Path, out: str | Path, point: int) -> SolveSummary:
    """Write a solved bundle with the λ of another point of its front.

    Args:
        bundle: solved, with its `solution.json`.
        out: directory of the new bundle; may be `bundle` itself.
        point: its number on the front, from 0, as the plot and the table show it.

    Raises:
        ShopguideError: the bundle was not solved, or its front has no such point.
    """
    model = load_bundle(bundle)
    solution = read_solution(bundle)
    if solution is None or model.fusion is None:
        raise ShopguideError(
            str(bundle), "has no solution.json, so no front", "Run `shopguide solve` on it first"
        )
    if not 0 <= point < len(solution.front):
        raise ShopguideError(
            f"point {point}",
            f"the front of {bundle} has the points 0 to {len(solution.front) - 1}",
            "Take one of them; front.html shows them",
        )
    taken = solution.model_copy(update={"solver": OWNER, "chosen": point, "fallback": None})
    fusion = Fusion(model.fusion.form, taken.point.weights, model.fusion.means)
    with_fusion(bundle, out, fusion, taken)
    return summarise(taken, fusion.means)
