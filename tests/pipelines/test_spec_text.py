"""A spec survives its way through kfp as a parameter."""

from pathlib import Path

import pytest

from pipelines.spec_text import spec_text
from shopguide.spec import check_text, load_spec


@pytest.mark.parametrize("note", ["python3 is named", "{{$}} and {{channel:task=}}", 'a "quote"\n'])
def test_text_that_kfp_would_replace_arrives_unchanged(
    complete_journey_spec: Path, note: str
) -> None:
    spec = load_spec(complete_journey_spec)
    noted = spec.model_copy(update={"notes": [note]})
    text = spec_text(noted)
    assert "python3" not in text
    assert "{{" not in text
    assert check_text(text, where="parameter") == noted
