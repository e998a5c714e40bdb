"""Norms that are folded into weights change no output."""

import pytest
import torch

from shopguide.models.bank import Bank


@pytest.mark.parametrize("own_input", [False, True])
def test_a_bank_without_its_norms_says_the_same(own_input: bool) -> None:
    torch.manual_seed(0)
    bank = Bank(3, 5, [8, 4], dropout=0.5, batch_norm=True, own_input=own_input)
    x = torch.randn(64, 3, 5) if own_input else torch.randn(64, 5)
    for _ in range(20):  # running moments, gains and shifts that are not those of the start
        bank(3 * x + 1)
    for norm in bank.norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 2.0)
        torch.nn.init.normal_(norm.bias)
    bank.eval()
    expected = bank(x)
    bank.fold_norms()
    assert not any(isinstance(module, torch.nn.BatchNorm1d) for module in bank.modules())
    torch.testing.assert_close(bank(x), expected, rtol=1e-5, atol=1e-5)


def test_a_bank_without_norms_is_left_alone() -> None:
    bank = Bank(2, 3, [4], dropout=0.0, batch_norm=False)
    before = [parameter.clone() for parameter in bank.parameters()]
    bank.fold_norms()
    for parameter, value in zip(bank.parameters(), before, strict=True):
        assert torch.equal(parameter, value)
