"""Relations of tasks: planted ones are found, and looking changes nothing."""

import copy
from pathlib import Path

import pytest
import torch

from shopguide.models import Inputs, Network
from shopguide.models.heads import LabelStatistics
from shopguide.spec import Spec
from shopguide.spec.model import Model
from shopguide.spec.tasks import BinaryTask
from shopguide.training import optimizers, train_mtl
from shopguide.training.relations import Looker, Relations, best_groups
from shopguide.training.relations_page import relations_page
from shopguide.training.samples import Samples
from shopguide.training.train import Surroundings, train

TASKS = ("a", "twin", "noise")


def network(architecture: str = "shared_bottom") -> Network:
    torch.manual_seed(0)
    tasks = {name: BinaryTask(kind="binary", event=name) for name in TASKS}
    model = Model(architecture=architecture, hidden=[16], tower=[8], dropout=0.3)
    rates = {name: LabelStatistics(rate=0.5) for name in TASKS}
    return Network(Inputs.plain([2000], 4), tasks, rates, model)


def rows(count: int, seed: int) -> Samples:
    """Return rows of which `a` and `twin` have the same label, and `noise` a coin's."""
    generator = torch.Generator().manual_seed(seed)
    numeric = torch.randn(count, 4, generator=generator)
    codes = torch.randint(2000, (count, 1), generator=generator, dtype=torch.int32)
    label = (numeric.sum(1) > 0).float()
    coin = torch.randint(2, (count,), generator=generator).float()
    return Samples(codes, numeric, torch.stack([label, label, coin], 1), torch.ones(count))


@pytest.fixture(scope="module")
def found() -> Relations:
    model, looker = network(), Looker(every=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(40):
        batch = rows(512, step)
        looker(model, batch, step)
        losses = model.losses(model(batch.categorical, batch.numeric), batch.labels, batch.weight)
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
    return looker.relations(TASKS)


def test_tasks_with_the_same_label_help_each_other_and_a_coin_helps_neither(
    found: Relations,
) -> None:
    a, twin, noise = range(3)
    assert found.looks == 40
    assert found.affinity[a][twin] > 0.5 * found.affinity[twin][twin] > 0
    assert found.affinity[noise][a] < 0.1 * found.affinity[twin][a]
    assert found.cosine[a][twin] > 0.5  # their towers differ
    assert abs(found.cosine[a][noise]) < 0.3
    assert ["a", "twin"] in [sorted(group)[:2] for group in found.groups]


@pytest.mark.parametrize(
    ("affinity", "groups"),
    [
        ([[0, 1, -1], [1, 0, -1], [-1, -1, 0]], [[0, 1], [2]]),
        ([[0, 1, 1], [1, 0, 1], [1, 1, 0]], [[0, 1, 2]]),
        ([[0, -1], [-1, 0]], [[0], [1]]),
        ([[0, 0], [0, 0]], [[0, 1]]),  # nothing speaks against one model
    ],
)
def test_groups_are_those_that_help_each_other_most(
    affinity: list[list[float]], groups: list[list[int]]
) -> None:
    assert sorted(map(sorted, best_groups(affinity))) == groups


def test_many_tasks_are_left_together() -> None:
    assert best_groups([[0.0] * 9] * 9) == [list(range(9))]


def test_looking_leaves_the_network_as_it_was() -> None:
    model, looker = network(), Looker(every=1)
    model.train()
    optimizers._large_tables(model)  # gradients by row, as in training
    before = copy.deepcopy(model.state_dict())
    looker(model, rows(64, 0), 0)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_tasks_that_share_no_representation_have_affinities_alone() -> None:
    model, looker = network("single_task"), Looker(every=1)
    looker(model, rows(64, 0), 0)
    found = looker.relations(TASKS)
    assert found.cosine == []
    assert "shares no representation" in relations_page(found, title="shop")


def test_a_run_that_is_looked_at_gives_the_same_model(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    spec = planted_spec.model_copy(
        update={"training": planted_spec.training.model_copy(update={"epochs": 2})}
    )
    looker = Looker()
    train(spec, training_set, tmp_path / "seen", Surroundings(probe=looker))
    train_mtl(spec, training_set, tmp_path / "unseen")
    graphs = [(tmp_path / name / "model.onnx").read_bytes() for name in ("seen", "unseen")]
    assert graphs[0] == graphs[1]
    relations = looker.relations(list(spec.tasks))
    assert relations.looks == 4  # 64 steps, every 20th
    assert all(relations.affinity[t][t] > 0 for t in range(2))  # a step for a task helps it


def test_the_page_is_one_file_and_escapes_names(found: Relations) -> None:
    odd = found.model_copy(update={"tasks": ["a<b>", "twin", "noise"]})
    page = relations_page(odd, title="R&D")
    assert "a&lt;b&gt;" in page
    assert "R&amp;D" in page
    assert "http" not in page
    assert page.count("<table>") == 2
