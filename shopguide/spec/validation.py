"""What data must be like before anything is learnt from it."""

from pydantic import Field

from shopguide.spec._section import Fraction, Section


class Validation(Section):
    """Limits of the checks; what breaks one stops the pipeline, drift alone only warns."""

    min_rows: int = Field(100, ge=1, description="Impressions that each period needs.")
    min_users: int = Field(20, ge=1, description="Users that each period needs.")
    max_unexposed: Fraction = Field(
        0.5, description="Share of outcome events whose user and item have no impression."
    )
    max_null_change: Fraction = Field(
        0.5, description="Change of an input's share of nulls from training to test."
    )
    warn_psi: float = Field(
        0.25, gt=0, description="Population stability index, train to test, from which to warn."
    )
    freshness_days: float = Field(
        8.0, gt=0, description="Most days between the last test impression and the period's end."
    )
