"""Go on from the champion's weights: its codes, its scales, and a row for every value it knew.

A network's shape follows from its inputs, so they are the champion's: numbers keep their centre and
scale, and a vocabulary keeps its values and takes in new ones behind them. New values begin as in a
network that starts from scratch.
"""

import io
import logging
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from shopguide.bundle import CategoricalInput, ListInput, Preprocessing, load_bundle
from shopguide.bundle.manifest import WEIGHTS
from shopguide.bundle.preprocessing import FIRST_VALUE
from shopguide.errors import ShopguideError
from shopguide.models import Network
from shopguide.spec.model import Model

_TABLE = "encoder.tables.{}.weight"
_log = logging.getLogger(__name__)

_Coded = TypeVar("_Coded", CategoricalInput, ListInput)


@dataclass(frozen=True, slots=True)
class Former:
    """What a champion hands on.

    Args:
        checksum: of its bundle.
        preprocessing: its inputs, as they are served.
        weights: of its network, by name.
    """

    checksum: str
    preprocessing: Preprocessing
    weights: Mapping[str, NDArray[np.float32]]


def dump_weights(network: Network) -> bytes:
    """Return a network's weights as the bundle keeps them: arrays by name, nothing that runs."""
    arrays = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def read_former(bundle: Path) -> Former | None:
    """Read what a champion hands on; None: it was trained without `training.start: champion`.

    Args:
        bundle: folder of its bundle.

    Raises:
        ShopguideError: it is no whole bundle, or its weights cannot be read.
    """
    found = load_bundle(bundle)
    file = bundle / WEIGHTS
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as arrays:
            weights = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        raise ShopguideError(
            str(file), "holds no arrays that can be read", "Train with training.start=scratch"
        ) from None
    return Former(found.manifest.checksum, found.preprocessing, weights)


def continued(fitted: Preprocessing, former: Preprocessing, model: Model) -> Preprocessing | None:
    """Return the inputs of a network that goes on; None: they are others than the champion's.

    Args:
        fitted: on the training rows of now.
        former: the champion's.
        model: reads `max_vocabulary`.
    """
    if _columns(fitted.served()) != _columns(former):
        return None
    known = {column.name: column for column in former.categorical}
    lists = {column.name: column for column in former.lists}
    return fitted.model_copy(
        update={
            "numeric": former.numeric,
            "categorical": [
                _grown(column, known[column.name], model) if column.name in known else column
                for column in fitted.categorical
            ],
            "lists": [_grown(column, lists[column.name], model) for column in fitted.lists],
        }
    )


def widths_of(former: Former, sets: int) -> dict[str, int]:
    """Return the units of each embedding of a champion: a larger vocabulary keeps its width.

    Args:
        former: what it hands on.
        sets: embeddings of its own that each value has.
    """
    own = _with_tables(former.preprocessing)
    return {
        column.name: former.weights[_TABLE.format(place)].shape[1] // sets
        for place, column in enumerate(own)
        if _TABLE.format(place) in former.weights
    }


@torch.no_grad()
def load_weights(network: Network, inputs: Preprocessing, former: Former) -> bool:
    """Give a network the champion's weights; say whether it could, and else leave it as it is.

    Args:
        network: untrained, of `inputs`.
        inputs: as `continued` returned them.
        former: what the champion hands on.
    """
    if _columns(inputs.served()) != _columns(former.preprocessing):
        _log.warning("the champion has other inputs")
        return False
    state = network.state_dict()
    tables = {
        _TABLE.format(place): (now, then)
        for place, (now, then) in enumerate(
            zip(_with_tables(inputs.served()), _with_tables(former.preprocessing), strict=True)
        )
    }
    for name, value in state.items():
        if name.startswith("bias."):  # of training alone, learnt anew
            continue
        found = former.weights.get(name)
        if found is None or (name not in tables and found.shape != tuple(value.shape)):
            _log.warning("the champion's weights do not fit: %s", name)
            return False
        if name in tables and found.shape[1] != value.shape[1]:
            _log.warning("the champion's embedding of %s is of another width", tables[name][0].name)
            return False
    for name, value in state.items():
        if name.startswith("bias."):
            continue
        found = former.weights[name]
        if name in tables:
            here, there = _rows(*tables[name])
            value[torch.from_numpy(here)] = torch.from_numpy(found[there]).to(value.dtype)
        else:
            value.copy_(torch.from_numpy(np.asarray(found)))
    return True


def _columns(inputs: Preprocessing) -> list[tuple[object, ...]]:
    """Return what of the inputs no two networks that go on from each other may differ in."""
    coded = [
        (
            type(c),
            c.name,
            c.buckets,
            c.of,
            *((c.kind, c.length) if isinstance(c, ListInput) else ()),
        )
        for c in inputs.coded
    ]
    return [*coded, *((column.name, column.kind) for column in inputs.numeric)]


def _grown(now: _Coded, then: _Coded, model: Model) -> _Coded:
    """Return an input whose vocabulary is the champion's, with the new values behind its own.

    Where they are too many, what no longer occurs goes first.
    """
    if now.buckets is not None:
        return then
    known, present = set(then.vocabulary), set(now.vocabulary)
    new: list[str] = [value for value in now.vocabulary if value not in known]
    kept: list[str] = list(then.vocabulary)
    excess = len(kept) + len(new) - model.max_vocabulary
    if excess > 0:
        leave = set([value for value in reversed(kept) if value not in present][:excess])
        kept = [value for value in kept if value not in leave]
    return now.model_copy(update={"vocabulary": [*kept, *new][: model.max_vocabulary]})


def _with_tables(inputs: Preprocessing) -> Sequence[CategoricalInput | ListInput]:
    """Return the inputs that have an embedding of their own, in the order of the tables."""
    return [
        column for column in inputs.coded if not isinstance(column, ListInput) or column.of is None
    ]


def _rows(
    now: CategoricalInput | ListInput, then: CategoricalInput | ListInput
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the new table that the champion has, and where it has them."""
    if now.buckets is not None:
        every = np.arange(now.size, dtype=np.int64)
        return every, every
    place = {value: number for number, value in enumerate(then.vocabulary)}
    both = [(number, place[value]) for number, value in enumerate(now.vocabulary) if value in place]
    special = np.arange(FIRST_VALUE, dtype=np.int64)
    here = np.array([number + FIRST_VALUE for number, _ in both], dtype=np.int64)
    there = np.array([number + FIRST_VALUE for _, number in both], dtype=np.int64)
    return np.concatenate([special, here]), np.concatenate([special, there])
