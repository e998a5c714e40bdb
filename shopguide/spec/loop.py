"""What a nightly run learns from, and what it is judged on."""

from typing import Literal

from pydantic import Field

from shopguide.spec._section import Section


class Loop(Section):
    """The periods of `shopguide nightly`, counted back from the end of the last day that is there.

    The test period ends an attribution window before that end, and as much lies between the
    periods: every outcome that counts is known, and none is learnt from twice.

        history | train | window | valid | window | test | window | now
    """

    window: Literal["rolling", "growing"] = Field(
        "rolling",
        description="rolling: the latest train_days; growing: all days since the first, less the "
        "history, and at least train_days.",
    )
    history_days: int = Field(
        7, ge=0, le=3650, description="Days before training of which only features know."
    )
    train_days: int = Field(28, ge=1, le=3650)
    valid_days: int = Field(7, ge=1, le=3650)
    test_days: int = Field(7, ge=1, le=3650)
