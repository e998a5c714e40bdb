"""What the preprocessing learns from the training rows."""

import numpy as np
import pyarrow as pa
import pytest

from shopguide.bundle import NumericInput
from shopguide.features.catalogue import ModelInput
from shopguide.spec.model import Model
from shopguide.training.hashing import hash_share
from shopguide.training.preprocess import fit_preprocessing, heavy_tailed, vocabulary

RNG = np.random.default_rng(0)


def column(name: str, kind: str = "numeric") -> ModelInput:
    return ModelInput(name, kind, None, "")  # type: ignore[arg-type]


def fitted(values: np.ndarray) -> NumericInput:
    table = pa.table({"x": pa.array(values, from_pandas=True)})
    found = fit_preprocessing(table, [column("x")], Model())
    return found.numeric[0]


def test_rare_values_share_the_unknown_code_and_the_commonest_win() -> None:
    values = pa.chunked_array([["a"] * 3 + ["b"] * 5 + ["c"] * 3 + ["d", None, None]])
    assert vocabulary(values, min_count=2, max_vocabulary=9) == ["b", "a", "c"]
    assert vocabulary(values, min_count=1, max_vocabulary=2) == ["b", "a"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (RNG.normal(size=5000), False),
        (RNG.uniform(size=5000), False),
        (RNG.lognormal(0, 1.5, size=5000), True),
        (RNG.poisson(0.05, size=5000).astype(float) * 10, True),
        (np.array([0.0, 1.0] * 100), False),
        (np.array([]), False),
    ],
)
def test_the_rule_of_heavy_tails(values: np.ndarray, expected: bool) -> None:
    assert heavy_tailed(values) is expected


def test_a_normal_column_is_standardised() -> None:
    found = fitted(RNG.normal(50, 4, 20_000))
    assert not found.log
    assert found.centre == pytest.approx(50, abs=0.2)  # 4·√(π/2)/√20,000 = .035, five of them
    assert found.scale == pytest.approx(4, rel=0.05)


def test_one_wild_value_moves_nothing() -> None:
    values = RNG.normal(size=20_000)
    wild = np.concatenate([values, [1e12]])
    assert fitted(wild).scale == pytest.approx(fitted(values).scale, rel=0.01)


@pytest.mark.parametrize("values", [np.full(10, 3.0), np.full(10, np.nan)])
def test_a_column_without_spread_has_scale_1(values: np.ndarray) -> None:
    assert fitted(values).scale == 1.0


def test_an_indicator_is_for_columns_that_were_ever_missing() -> None:
    assert fitted(np.array([1.0, np.nan, 2.0])).indicator
    assert not fitted(np.array([1.0, 2.0])).indicator


def test_a_hash_share_is_uniform_and_the_same_for_the_same_key() -> None:
    keys = pa.chunked_array([[f"u{i // 2}" for i in range(20_000)]])
    shares = hash_share(keys, salt="a")
    np.testing.assert_array_equal(shares[::2], shares[1::2])
    # standard error of a mean of 10,000 uniforms: .0029
    assert shares.mean() == pytest.approx(0.5, abs=0.012)
    assert abs(np.corrcoef(shares, hash_share(keys, salt="b"))[0, 1]) < 0.03
