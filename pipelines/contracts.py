"""`components/README.md`: what each component takes, gives and needs, and how it fails."""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

import components

_HEADING = """# Components

Written by `python -m pipelines compile` from the docstrings and the compiled files; do not edit.

Each file in `compiled/` is a component of its own: from anywhere,
`kfp.components.load_component_from_file("train_mtl.yaml")` makes a step of it for a pipeline of
yours. All run in one image, which `make image` builds. *Needs* is a request to start from; *again*
says what happens if the step is repeated with the same inputs; *fails* says when it ends with an
error instead of an answer. Caching and retries are those of the main pipeline, `train_and_promote`.
"""

_LEADS = ("Needs", "Again", "Fails")

_TYPES = {
    "NUMBER_INTEGER": "int",
    "NUMBER_DOUBLE": "float",
    "STRING": "text",
    "BOOLEAN": "bool",
    "LIST": "list",
    "STRUCT": "mapping",
}


def contracts(root: Path) -> str:
    """Return the text of `components/README.md`.

    Args:
        root: directory that holds `components/compiled` and `pipelines/compiled`.
    """
    tasks = _tasks(_read(root / "pipelines" / "compiled" / "train_and_promote.yaml"))
    files = sorted((root / "components" / "compiled").glob("*.yaml"))
    return "\n".join([_HEADING, *(_section(path, tasks) for path in files)])


def _section(path: Path, tasks: Mapping[str, Mapping[str, Any]]) -> str:
    document = _read(path)
    name = document["pipelineInfo"]["name"]
    function = getattr(components, path.stem).python_func
    about, leads, told = _docstring(inspect.getdoc(function) or "")
    (component,) = document["components"].values()
    lines = [f"## {name}", "", about, "", "| | name | type | what |", "|---|---|---|---|"]
    lines += _rows("in", component.get("inputDefinitions", {}), told)
    lines += _rows("out", component.get("outputDefinitions", {}), told)
    lines += ["", *(f"- *{lead.lower()}*: {text}" for lead, text in leads.items())]
    return "\n".join([*lines, f"- {_habits(tasks.get(name))}", ""])


def _docstring(text: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """Split a docstring: what it says first, what follows the known words, and of each argument."""
    prose, _, rest = text.partition("\nArgs:\n")
    arguments, _, returns = rest.partition("\nReturns:\n")
    about: list[str] = []
    leads: dict[str, str] = {}
    for paragraph in prose.split("\n\n"):
        lead, _, words = paragraph.partition(": ")
        if lead in _LEADS:
            leads[lead] = _line(words)
        else:
            about.append(_line(paragraph))
    missing = [lead for lead in _LEADS if lead not in leads]
    assert not missing, f"the docstring of `{about[0]}` lacks {missing}"
    told = {
        name: _line(words)
        for name, words in re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", arguments, re.MULTILINE)
    }
    return "\n\n".join(about), leads, told | {"Output": _line(returns.partition("\n\n")[0])}


def _line(text: str) -> str:
    return " ".join(text.split())


def _rows(side: str, definitions: Mapping[str, Any], told: Mapping[str, str]) -> Iterator[str]:
    for name, entry in definitions.get("artifacts", {}).items():
        kind = entry["artifactType"]["schemaTitle"].removeprefix("system.")
        kind = f"{kind} list" if entry.get("isArtifactList") else kind
        yield f"| {side} | `{name}` | {kind} | {told[name]} |"
    for name, entry in definitions.get("parameters", {}).items():
        yield f"| {side} | `{name}` | {_TYPES[entry['parameterType']]} | {told[name]} |"


def _habits(task: Mapping[str, Any] | None) -> str:
    if task is None:
        return "not a step of the main pipeline"
    cached = bool(task.get("cachingOptions", {}).get("enableCache"))
    retries = task.get("retryPolicy", {}).get("maxRetryCount", 0)
    return f"{'cached' if cached else 'never cached'}, {retries} retries"


def _tasks(pipeline: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the tasks of a compiled pipeline by the component that they run."""
    holders = [pipeline["root"], *pipeline["components"].values()]
    tasks = [task for holder in holders for task in holder.get("dag", {}).get("tasks", {}).values()]
    return {task["componentRef"]["name"].removeprefix("comp-"): task for task in tasks}


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = next(iter(yaml.safe_load_all(path.read_text(encoding="utf-8"))))
    return document
