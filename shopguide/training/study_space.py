"""The space of a study: what a trial is asked, and the spec that its answers make."""

from typing import Any, Protocol

from shopguide.errors import ShopguideError
from shopguide.spec import Spec
from shopguide.spec.study import Study
from shopguide.training.balancing import require_shared

Settings = dict[str, float | int | str]
"""By name, what a trial was given; layers as `128-64`."""

_OF_MODEL = ("dropout", "embedding_dim", "hidden", "architecture")


class Asked(Protocol):
    """What answers: a trial of Optuna."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number between two."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:  # noqa: ANN401 - as Optuna's
        """Return one of the choices."""


def space_of(spec: Spec) -> Study:
    """Return the space that the spec declares, or the default one.

    Raises:
        ShopguideError: a balancer has nothing to balance in one of the architectures.
    """
    space = spec.training.study or Study()
    for balancer in space.balancer or [spec.training.balancer]:
        for architecture in space.architecture or [spec.model.architecture]:
            try:
                require_shared(balancer, architecture)
            except ShopguideError as error:
                raise ShopguideError("training.study", error.what, error.fix) from None
    return space


def suggest(space: Study, trial: Asked) -> Settings:
    """Ask a trial for each setting that the space leaves open."""
    found: Settings = {}
    for name, log in (("learning_rate", True), ("weight_decay", True), ("dropout", False)):
        ends = getattr(space, name)
        if ends is not None:
            found[name] = trial.suggest_float(name, *ends, log=log)
    for name in ("batch_size", "embedding_dim", "architecture", "balancer"):
        if choices := getattr(space, name):
            found[name] = trial.suggest_categorical(name, choices)
    if space.hidden:
        layers = ["-".join(map(str, sizes)) for sizes in space.hidden]
        found["hidden"] = trial.suggest_categorical("hidden", layers)
    return found


def with_settings(spec: Spec, settings: Settings) -> Spec:
    """Return the spec of one trial."""
    model: dict[str, object] = {}
    training: dict[str, object] = {"study": None}
    for name, value in settings.items():
        (model if name in _OF_MODEL else training)[name] = value
    if "hidden" in model:
        model["hidden"] = [int(units) for units in str(model["hidden"]).split("-")]
    return spec.model_copy(
        update={
            "model": spec.model.model_copy(update=model),
            "training": spec.training.model_copy(update=training),
        }
    )
