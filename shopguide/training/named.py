"""Refuse a model section that names inputs which are not there."""

from collections.abc import Iterable, Sequence

from shopguide.errors import ShopguideError
from shopguide.features.catalogue import ModelInput
from shopguide.spec.model import Model
from shopguide.training.preprocess import cross_name


def require_inputs(inputs: Sequence[ModelInput], model: Model) -> None:
    """Check every name in the model section against the inputs of the spec's features.

    Args:
        inputs: from the catalogue.
        model: reads hashing, embeddings, crosses, transforms and lists.

    Raises:
        ShopguideError: an input is not there, or is of the wrong kind; all of them at once.
    """
    categorical = [column.name for column in inputs if column.kind == "categorical"]
    numeric = [column.name for column in inputs if column.kind in ("numeric", "recency")]
    own_lists = [name for name, section in model.lists.items() if section.of is None]
    embedded = [*categorical, *map(cross_name, model.crosses), *own_lists]
    problems = [
        *_absent("hashing", model.hashing, embedded),
        *_absent("embeddings", model.embeddings, embedded),
        *_absent("transforms", model.transforms, numeric),
        *(p for parts in model.crosses for p in _absent("crosses", parts, categorical)),
        *(
            problem
            for name, section in model.lists.items()
            if section.of is not None
            for problem in _absent(f"lists.{name}.of", [section.of], categorical)
        ),
    ]
    taken = {column.name for column in inputs if column.kind != "sequence"}
    problems += [
        ShopguideError(f"model.lists.{name}", "is an input already", "Give the column another name")
        for name in model.lists
        if name in taken
    ]
    if problems:
        raise ShopguideError.combined(problems)


def _absent(field: str, names: Iterable[str], known: Sequence[str]) -> list[ShopguideError]:
    return [
        ShopguideError(
            f"model.{field}",
            f"names {name!r}, which is no such input; there are {', '.join(known) or 'none'}",
            "Name one of these, or add it to features",
        )
        for name in names
        if name not in known
    ]
