"""Components are contracts: typed, described, thin, and the same image everywhere."""

import ast
import inspect
import re
from pathlib import Path

import pytest
import yaml

import components
from components._image import IMAGE

ROOT = Path(__file__).resolve().parents[2]
NAMES = [name for name in components.__all__ if name != "record_run"]
MOST_STATEMENTS = 8


def _compiled(name: str) -> dict[str, object]:
    path = ROOT / "components" / "compiled" / f"{name}.yaml"
    document: dict[str, object] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("name", NAMES)
def test_inputs_and_outputs_are_described_on_the_page(name: str) -> None:
    text = (ROOT / "components" / f"{name}.py").read_text(encoding="utf-8")
    (function,) = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
    documented = ast.get_docstring(function) or ""
    for argument in function.args.args:
        assert re.search(rf"^    {argument.arg}: \S", documented, re.MULTILINE), argument.arg
    returns = function.returns
    if not (isinstance(returns, ast.Constant) and returns.value is None):
        assert "Returns:" in documented


@pytest.mark.parametrize("name", NAMES)
def test_the_body_only_calls_the_library(name: str) -> None:
    text = (ROOT / "components" / f"{name}.py").read_text(encoding="utf-8")
    (function,) = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
    imports = (ast.Import, ast.ImportFrom)
    work = [n for n in ast.walk(function) if isinstance(n, ast.stmt) and not isinstance(n, imports)]
    assert len(work) - 2 <= MOST_STATEMENTS, "the function and its docstring aside"


@pytest.mark.parametrize("name", NAMES)
def test_the_image_is_pinned_and_nothing_is_installed(name: str) -> None:
    (executor,) = _compiled(name)["deploymentSpec"]["executors"].values()  # type: ignore[index]
    assert executor["container"]["image"] == IMAGE
    assert ":" in IMAGE
    assert not IMAGE.endswith(":latest")
    assert "pip" not in " ".join(executor["container"]["command"])


def test_the_exported_names_are_the_files() -> None:
    files = {path.stem for path in (ROOT / "components").glob("[a-z]*.py")}
    assert set(components.__all__) == files
    assert inspect.ismodule(components)
