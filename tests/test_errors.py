"""A message is one line for a person, whatever stood in the file that it quotes."""

import pytest

from shopguide.errors import ShopguideError


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("holds a\nb", "holds a b"),
        ("holds a\r\n  b\u2028c", "holds a b c"),
        ("holds \x1b[31mred\x07", r"holds \x1b[31mred\x07"),
        ("holds \u202ecba", r"holds \u202ecba"),
        ("expected λ ≥ 0 – 10\u00a0%", "expected λ ≥ 0 – 10\u00a0%"),
    ],
)
def test_a_message_is_one_line_that_steers_no_terminal(what: str, said: str) -> None:
    assert str(ShopguideError("file", what, "Mend it")) == f"file: {said}. Mend it"


def test_several_problems_have_a_line_each() -> None:
    both = [ShopguideError(name, "is\nwrong", "Mend it") for name in ("a", "b")]
    assert str(ShopguideError.combined(both)) == "a: is wrong. Mend it\nb: is wrong. Mend it"
