"""A client's mistake is one line of the log; a failure of ours keeps its traceback."""

import logging

import pytest
from bentoml.exceptions import InternalServerError, InvalidArgument

from serving.client_errors import ClientErrors
from serving.schemas import RankRequest


def _logged(error: Exception) -> logging.LogRecord:
    record = logging.LogRecord(
        "x", logging.ERROR, __file__, 1, "Exception on %s [%s]", ("/rank", "POST"),
        (type(error), error, None),
    )  # fmt: skip
    assert ClientErrors().filter(record)
    return record


def test_a_refused_field_is_a_warning_of_one_line() -> None:
    record = _logged(InvalidArgument("context.x\n: not an input"))
    assert record.levelname == "WARNING"
    assert record.exc_info is None
    assert record.getMessage() == "refused /rank [POST]: context.x : not an input"


def test_a_body_that_is_not_of_the_schema_is_named_by_its_fields() -> None:
    with pytest.raises(ValueError, match="colour") as caught:
        RankRequest.model_validate({"user_id": "u1", "items": ["i1"], "colour": "red"})
    record = _logged(caught.value)
    assert "colour: Extra inputs are not permitted" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert "red" not in record.getMessage(), "what a client sends stays out of the log"


@pytest.mark.parametrize("error", [InternalServerError("disk"), RuntimeError("slip")])
def test_what_is_not_the_clients_fault_stays_as_it_is(error: Exception) -> None:
    record = _logged(error)
    assert record.levelname == "ERROR"
    assert record.exc_info is not None
