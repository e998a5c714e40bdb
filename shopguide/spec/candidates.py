"""The models that `training.candidates` asks for, each as a spec of its own."""

from dataclasses import dataclass
from itertools import product

from shopguide.errors import ShopguideError
from shopguide.spec._spec import Spec


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model to train.

    Args:
        name: `ARCHITECTURE-BALANCER-SEED`.
        spec: the spec with these three set.
    """

    name: str
    spec: Spec


def candidate_specs(spec: Spec) -> list[Candidate]:
    """Return the spec of each candidate: all combinations of what `training.candidates` lists."""
    block = spec.training.candidates
    if block is None:
        return [Candidate(candidate_name(spec), spec)]
    choices = product(
        block.architectures or [spec.model.architecture],
        block.balancers or [spec.training.balancer],
        block.seeds or [spec.seed],
    )
    found = {}
    for architecture, balancer, seed in choices:
        single = spec.model_copy(
            update={
                "seed": seed,
                "model": spec.model.model_copy(update={"architecture": architecture}),
                "training": spec.training.model_copy(
                    update={"balancer": balancer, "candidates": None}
                ),
            }
        )
        found[candidate_name(single)] = Candidate(candidate_name(single), single)
    return list(found.values())


def candidate_of(spec: Spec, name: str) -> Candidate:
    """Return the candidate of a name.

    Raises:
        ShopguideError: the spec asks for no such model.
    """
    found = {candidate.name: candidate for candidate in candidate_specs(spec)}
    if name not in found:
        raise ShopguideError(
            f"candidate {name}",
            "the spec asks for no such model",
            f"Name one of {', '.join(found)}",
        )
    return found[name]


def candidate_name(spec: Spec) -> str:
    """Return the name of the candidate that a spec trains."""
    return f"{spec.model.architecture}-{spec.training.balancer}-{spec.seed}"
