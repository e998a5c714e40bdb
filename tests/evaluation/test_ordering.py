"""The order within groups is numpy's lexicographic one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shopguide.evaluation.ordering import order_within

ROW = st.tuples(st.integers(0, 5), st.integers(-3, 3))


@given(st.lists(ROW, min_size=6, max_size=40))
def test_it_is_the_lexicographic_order(rows: list[tuple[int, int]]) -> None:
    groups, values = np.array(rows).T
    expected = np.lexsort((values, groups))
    assert order_within(groups, values.astype(float)).tolist() == expected.tolist()
