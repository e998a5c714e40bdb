"""The stability index against its closed form."""

import numpy as np
import pytest

from shopguide.validation.drift import stability_index


def test_equal_distributions_have_none() -> None:
    shares = np.array([0.2, 0.3, 0.5])
    assert stability_index(shares, shares) == pytest.approx(0.0)


def test_two_bins_have_the_closed_form() -> None:
    # (q − p) log(q/p) over both bins, p = (.5, .5), q = (.8, .2)
    expected = 0.3 * np.log(1.6) - 0.3 * np.log(0.4)
    found = stability_index(np.array([0.5, 0.5]), np.array([0.8, 0.2]))
    assert found == pytest.approx(expected)


def test_an_empty_bin_stays_finite() -> None:
    assert np.isfinite(stability_index(np.array([1.0, 0.0]), np.array([0.0, 1.0])))
