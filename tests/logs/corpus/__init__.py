"""Exports with one defect each, and what is to become of them."""

from tests.logs.corpus.cases import CASES, Case
from tests.logs.corpus.export import HEADER, spec_text

__all__ = ["CASES", "HEADER", "Case", "spec_text"]
