"""The one error that a user's input can raise."""

import unicodedata
from collections.abc import Sequence
from typing import Self


class ShopguideError(Exception):
    """A mistake in what the user gave us: where it is, what is wrong, and what to do.

    The command line prints it without a traceback and exits with code 2.

    Args:
        where: file with row and column, or file with a path in the spec.
        what: what was found and what was expected.
        fix: what to do about it, as an imperative sentence.
    """

    exit_code = 2

    def __init__(self, where: str, what: str, fix: str) -> None:
        self.where = where
        self.what = what
        self.fix = fix
        super().__init__(_one_line(f"{where}: {what}. {fix}"))

    @classmethod
    def combined(cls, problems: Sequence[Self]) -> Self:
        """Report all problems of one input at once, a line each.

        Args:
            problems: one or more errors, in the order of the input.
        """
        assert problems, "nothing to report"
        if len(problems) == 1:
            return problems[0]
        error = cls(problems[0].where, problems[0].what, problems[0].fix)
        error.args = ("\n".join(str(problem) for problem in problems),)
        return error


class InvalidDataError(ShopguideError):
    """The input was read, and it breaks an expectation: the answer is no (exit code 1)."""

    exit_code = 1


def _one_line(text: str) -> str:
    """Return a text without line breaks, and with what would steer a terminal written out.

    Parts of a message come from the user's files, and these may come from anybody.
    """
    line = " ".join(part.strip() for part in text.splitlines())
    if line.isprintable():
        return line
    return "".join(repr(c)[1:-1] if unicodedata.category(c)[0] == "C" else c for c in line)
