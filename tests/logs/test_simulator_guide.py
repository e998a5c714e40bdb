"""The guide's Python runs as it stands."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_guides_python_runs() -> None:
    guide = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    found: dict[str, object] = {}
    exec(code.replace('"specs/', f'"{ROOT}/specs/'), found)  # noqa: S102 - our own document
    assert found["inverse_propensity"] > 0  # type: ignore[operator]
