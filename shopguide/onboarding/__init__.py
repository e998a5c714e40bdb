"""A shop's files → a spec that runs, with the evidence for every guess.

Example:
    >>> from shopguide.onboarding import propose
    >>> proposal = propose(["2019-Oct.csv.gz"])  # doctest: +SKIP
    >>> proposal.text  # doctest: +SKIP
"""

from shopguide.onboarding.guess import Guess
from shopguide.onboarding.propose import Proposal, propose

__all__ = ["Guess", "Proposal", "propose"]
