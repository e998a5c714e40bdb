"""What makes each architecture the one it is called: closed forms and who teaches whom."""

from collections.abc import Mapping

import pytest
import torch

from shopguide.models import ARCHITECTURES, Architecture, Layout
from shopguide.models.bank import Bank
from shopguide.spec.model import Model

BATCH, IN_DIM, TASKS = 32, 10, 3
PARENTS: Mapping[str, str | None] = {"click": None, "cart": "click", "purchase": "cart"}
COLUMNS = {"user": slice(0, 3), "place": slice(3, 6), "price": slice(6, 10)}
LAYOUT = Layout(IN_DIM, COLUMNS, PARENTS, ("user", "place"))
MODEL = Model(hidden=[8, 4], experts=2, task_experts=2, dropout=0.0, batch_norm=False)


def built(name: str, **options: object) -> Architecture:
    torch.manual_seed(0)
    return ARCHITECTURES[name].build(LAYOUT, MODEL.model_copy(update=options))


def an_input(*sets: int) -> torch.Tensor:
    return torch.randn(BATCH, *sets, IN_DIM, generator=torch.Generator().manual_seed(1))


def gradient_of(task: int, found: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    weights = torch.randn(found[:, task].shape, generator=torch.Generator().manual_seed(2))
    return torch.autograd.grad((found[:, task] * weights).sum(), at, retain_graph=True)[0]


def test_mmoe_with_equal_gates_is_the_mean_of_its_experts() -> None:
    mmoe, x = built("mmoe"), an_input()
    mean = mmoe.experts(x).mean(dim=1)
    torch.testing.assert_close(mmoe(x), mean.unsqueeze(1).expand(-1, TASKS, -1))


def test_adatt_with_equal_gates_is_the_mean_of_all_experts_and_that_of_a_tasks_own() -> None:
    adatt, x = built("adatt", levels=1), an_input()
    h = adatt.last.experts(x).unflatten(1, (TASKS, 2))  # [B, T, E, H]
    expected = h.mean(dim=(1, 2)).unsqueeze(1) + h.mean(dim=2)
    torch.testing.assert_close(adatt(x), expected)


@pytest.mark.parametrize("chosen", range(5))
def test_a_gate_of_cgc_that_chooses_an_expert_gives_its_output(chosen: int) -> None:
    cgc, x = built("cgc", experts=3), an_input().abs()
    cgc.level.gates.data[:, :, chosen] = 100.0  # 2 of a task's own, then 3 common ones
    own = cgc.level.own(x).unflatten(1, (TASKS, 2))
    common = cgc.level.common(x).unsqueeze(1).expand(-1, TASKS, -1, -1)
    torch.testing.assert_close(cgc(x), torch.cat([own, common], dim=2)[:, :, chosen])


@pytest.mark.parametrize("name", ["cgc", "ple"])
def test_no_task_teaches_another_ones_experts_at_the_last_level(name: str) -> None:
    architecture, x = built(name), an_input()
    level = architecture.level if name == "cgc" else architecture.levels[-1]
    found = architecture(x)
    for task in range(TASKS):
        moved = gradient_of(task, found, level.own.weights[0]).abs().sum(dim=(1, 2)) > 0
        assert moved.tolist() == [expert // 2 == task for expert in range(2 * TASKS)]
        assert (gradient_of(task, found, level.common.weights[0]).abs().sum(dim=(1, 2)) > 0).all()


def test_below_its_last_level_ple_teaches_every_expert_for_every_task() -> None:
    ple, x = built("ple"), an_input()
    found = ple(x)
    for task in range(TASKS):
        assert (
            gradient_of(task, found, ple.levels[0].own.weights[0]).abs().sum(dim=(1, 2)) > 0
        ).all()


def test_ple_of_one_level_is_cgc() -> None:
    x = an_input()
    torch.testing.assert_close(built("ple", levels=1)(x), built("cgc")(x))


def test_cross_stitch_without_stitches_is_single_task() -> None:
    stitched, x = built("cross_stitch"), an_input()
    stitched.stitches.data = torch.eye(TASKS).repeat(2, 1, 1)
    single = built("single_task")
    for position, layer in enumerate(stitched.layers):
        single.bank.weights[position].data = layer.weights[0].data
    torch.testing.assert_close(stitched(x), single(x))


@pytest.mark.parametrize("name", ["single_task", "soft_sharing", "esmm"])
def test_separate_layers_are_taught_by_their_own_task(name: str) -> None:
    architecture, x = built(name), an_input()
    found = architecture(x)
    for task in range(TASKS):
        moved = gradient_of(task, found, architecture.bank.weights[0]).abs().sum(dim=(1, 2)) > 0
        assert moved.tolist() == [member == task for member in range(TASKS)]


def test_a_stage_of_aitm_hears_from_the_stages_before_it_and_no_later_one() -> None:
    aitm, x = built("aitm", hidden=[16, 16]), an_input()
    found = aitm(x)
    torch.testing.assert_close(found[:, 0], aitm.bank(x)[:, 0])
    for task in range(TASKS):
        heard = gradient_of(task, found, aitm.bank.weights[0]).abs().sum(dim=(1, 2)) > 0
        assert heard.tolist() == [stage <= task for stage in range(TASKS)]


def test_stem_reads_all_embeddings_and_teaches_a_tasks_own_and_the_common_ones() -> None:
    stem, x = built("stem"), an_input(TASKS + 1).requires_grad_()
    found = stem(x)
    for task in range(TASKS):
        taught = gradient_of(task, found, x).abs().sum(dim=(0, 2)) > 0
        assert taught.tolist() == [s in (task, TASKS) for s in range(TASKS + 1)]
        for other in range(TASKS + 1):  # …yet every set is read
            changed = x.detach().clone()
            changed[:, other] += 1
            assert not torch.allclose(stem(changed)[:, task], found[:, task])


def test_pepnet_starts_as_separate_layers_and_scales_them_by_the_person_alone() -> None:
    pepnet, x = built("pepnet", scenario_inputs=["place"], person_inputs=["user"]), an_input()
    h = x
    for layer in pepnet.layers:
        h = layer(h)
    torch.testing.assert_close(pepnet(x), h)  # every gate is 1
    for gate in (pepnet.of_input, *pepnet.of_layers):
        torch.nn.init.normal_(gate.second.weight)
    shared = pepnet.shared(x).detach()
    moved = x.clone()
    moved[:, COLUMNS["place"]] += 1
    # given what EPNet made of the input, the place says no more; the person does
    torch.testing.assert_close(pepnet.per_task(shared, moved), pepnet.per_task(shared, x))
    moved[:, COLUMNS["user"]] += 1
    assert not torch.allclose(pepnet.per_task(shared, moved), pepnet.per_task(shared, x))


def test_epnet_passes_no_gradient_through_the_input_of_its_gate() -> None:
    pepnet = built("pepnet", scenario_inputs=["place"], person_inputs=["user"])
    torch.nn.init.normal_(pepnet.of_input.second.weight)
    x = an_input().requires_grad_()
    (found,) = torch.autograd.grad(pepnet.shared(x).sum(), x)
    factors = pepnet.of_input(torch.cat([x[:, COLUMNS["place"]], x], dim=1))
    # beside the place, an input is moved by its own factor alone: the gate reads it behind a stop
    torch.testing.assert_close(found[:, COLUMNS["price"]], factors[:, COLUMNS["price"]])
    assert not torch.allclose(found[:, COLUMNS["place"]], factors[:, COLUMNS["place"]])


def test_a_bank_is_its_members_one_by_one() -> None:
    torch.manual_seed(0)
    bank = Bank(3, IN_DIM, [8, 4], dropout=0.0, batch_norm=False)
    for bias in bank.biases:
        torch.nn.init.normal_(bias)
    x = an_input()
    for member in range(3):
        h = x
        for weight, bias in zip(bank.weights, bank.biases, strict=True):
            h = (h @ weight[member] + bias[member]).relu()
        torch.testing.assert_close(bank(x)[:, member], h)
