"""Training goes on from the champion's weights: which rows are whose, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from shopguide.bundle import CategoricalInput, NumericInput, Preprocessing, load_bundle
from shopguide.bundle.manifest import WEIGHTS
from shopguide.models import Inputs, Network
from shopguide.models.heads import LabelStatistics
from shopguide.spec import Spec
from shopguide.training import Surroundings, TrainingSummary, train_mtl
from shopguide.training.continued import Former, continued, dump_weights, load_weights, read_former
from shopguide.training.train import train


def inputs(vocabulary: list[str], centre: float = 0.0, name: str = "item") -> Preprocessing:
    number = NumericInput(
        name="price", kind="numeric", log=False, centre=centre, scale=1.0, indicator=False
    )
    return Preprocessing(
        categorical=[CategoricalInput(name=name, vocabulary=vocabulary)], numeric=[number]
    )


def going_on(spec: Spec) -> Spec:
    return spec.model_copy(
        update={"training": spec.training.model_copy(update={"start": "champion"})}
    )


def test_known_values_keep_their_place_and_new_ones_come_behind(planted_spec: Spec) -> None:
    former, fitted = inputs(["a", "b", "c"], centre=7.0), inputs(["d", "b", "a", "e"])
    found = continued(fitted, former, planted_spec.model)
    assert found is not None
    assert found.categorical[0].vocabulary == ["a", "b", "c", "d", "e"]
    assert found.numeric == former.numeric


def test_where_room_is_short_what_no_longer_occurs_goes_first(planted_spec: Spec) -> None:
    model = planted_spec.model.model_copy(update={"max_vocabulary": 4})
    found = continued(inputs(["d", "b", "a"]), inputs(["a", "b", "x", "y"]), model)
    assert found is not None
    assert found.categorical[0].vocabulary == ["a", "b", "x", "d"]


def test_other_inputs_are_no_start(planted_spec: Spec) -> None:
    assert continued(inputs(["a"]), inputs(["a"], name="brand"), planted_spec.model) is None
    more = inputs(["a"])
    fewer = more.model_copy(update={"numeric": []})
    assert continued(more, fewer, planted_spec.model) is None


def network(spec: Spec, preprocessing: Preprocessing, width: int | None = None) -> Network:
    model = spec.model
    if width is not None:
        model = model.model_copy(update={"embeddings": {"item": width}})
    statistics = {name: LabelStatistics(rate=0.3, parent_rate=0.5) for name in spec.tasks}
    return Network(Inputs.of(preprocessing, model), spec.tasks, statistics, model)


def test_a_value_keeps_its_row_wherever_it_stands(planted_spec: Spec) -> None:
    torch.manual_seed(0)
    before = inputs(["a", "b", "c"])
    old = network(planted_spec, before, width=4)
    weights = {name: value.numpy() for name, value in old.state_dict().items()}
    former = Former("x", before, weights)
    after = inputs(["c", "new", "a"])
    new = network(planted_spec, after, width=4)
    fresh = new.encoder.tables[0].weight[3].clone()
    assert load_weights(new, after, former)
    table, then = new.encoder.tables[0].weight, old.encoder.tables[0].weight
    assert torch.equal(table[:3], then[[0, 1, 4]])  # missing, unknown, c
    assert torch.equal(table[4], then[2])  # a
    assert torch.equal(table[3], fresh), "a new value begins as from scratch"
    assert torch.equal(new.towers.weights[0], old.towers.weights[0])


def test_weights_of_another_shape_leave_the_network_as_it_was(planted_spec: Spec) -> None:
    before = inputs(["a", "b"])
    old = network(planted_spec, before, width=8)
    former = Former("x", before, {n: v.numpy() for n, v in old.state_dict().items()})
    new = network(planted_spec, before, width=4)
    kept = {name: value.clone() for name, value in new.state_dict().items()}
    assert not load_weights(new, before, former)
    assert all(torch.equal(value, kept[name]) for name, value in new.state_dict().items())


def test_a_bundle_keeps_weights_only_where_the_spec_goes_on(
    planted_spec: Spec, training_set: Path, summary: TrainingSummary, tmp_path: Path
) -> None:
    del summary  # the bundle of the plain spec is made by another fixture
    spec = going_on(planted_spec)
    first = train_mtl(spec, training_set, tmp_path / "first")
    assert first.record.started_from is None
    assert (tmp_path / "first" / WEIGHTS).is_file()
    champion = load_bundle(tmp_path / "first")
    former = read_former(tmp_path / "first")
    assert former is not None
    around = Surroundings(champion=tmp_path / "first")
    second = train(spec, training_set, tmp_path / "second", around)
    assert second.record.started_from == champion.manifest.checksum
    # the same rows again: its first pass begins with what the first run had learnt
    assert second.record.epochs[0].train_loss < first.record.epochs[0].train_loss - 0.1
    plain = train(planted_spec, training_set, tmp_path / "plain", around)
    assert plain.record.started_from is None
    assert not (tmp_path / "plain" / WEIGHTS).exists()
    assert read_former(tmp_path / "plain") is None


def test_what_is_dumped_is_read_without_running_anything(
    planted_spec: Spec, tmp_path: Path
) -> None:
    old = network(planted_spec, inputs(["a"]))
    (tmp_path / "w.npz").write_bytes(dump_weights(old))
    with np.load(tmp_path / "w.npz", allow_pickle=False) as arrays:
        for name, value in old.state_dict().items():
            assert np.array_equal(arrays[name], value.numpy())
    assert dump_weights(old) == dump_weights(old), "equal networks make equal bundles"


@pytest.mark.parametrize("architecture", ["stem", "ple"])
def test_other_architectures_go_on_too(
    architecture: str, planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    model = planted_spec.model.model_copy(update={"architecture": architecture})
    training = planted_spec.training.model_copy(update={"start": "champion", "epochs": 1})
    spec = planted_spec.model_copy(update={"model": model, "training": training})
    train_mtl(spec, training_set, tmp_path / "first")
    around = Surroundings(champion=tmp_path / "first")
    second = train(spec, training_set, tmp_path / "second", around)
    assert second.record.started_from is not None
