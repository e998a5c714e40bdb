"""Validation: expectations, leaks and drift, before anything is learnt from the data.

Example:
    >>> from shopguide.spec import load_spec
    >>> from shopguide.validation import validate_data
    >>> spec = load_spec("specs/complete_journey.yaml")
    >>> validate_data(spec, "log", "training_set", "data.html").passes  # doctest: +SKIP
    True
"""

from shopguide.validation.result import Check, InputProfile, ValidationResult
from shopguide.validation.validate import validate_data

__all__ = ["Check", "InputProfile", "ValidationResult", "validate_data"]
