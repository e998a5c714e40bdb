"""A compiled pipeline on its way to a server: read, checked, and named by what is in it."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines import PIPELINES
from pipelines.compiling import ROOT
from shopguide.errors import ShopguideError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built
_RECOMPILE = "Compile it again with the kfp that is installed: `python -m pipelines compile`"


@dataclass(frozen=True, slots=True)
class Package:
    """A compiled pipeline.

    Args:
        name: of the pipeline, as it is called on the server.
        description: of the pipeline.
        parameters: its inputs, by name: kfp's type, whether it has a default or may be left out,
            and what it is.
        text: the file, byte for byte what is uploaded.
        label: of the uploaded version: what the text hashes to.
    """

    name: str
    description: str
    parameters: dict[str, "Parameter"]
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input of a pipeline.

    Args:
        type: kfp's: STRING, NUMBER_INTEGER, NUMBER_DOUBLE, BOOLEAN, LIST or STRUCT.
        required: whether it has no default.
        description: what it is.
    """

    type: str
    required: bool
    description: str


def compiled_file(pipeline: str) -> Path:
    """Return the compiled file of a pipeline of ours, or the path itself if it is one.

    Args:
        pipeline: a name such as train_and_promote, or the path of a compiled file.

    Raises:
        ShopguideError: it is neither.
    """
    known = {name.replace("_", "-"): name for name in PIPELINES}
    own = known.get(pipeline.replace("_", "-"))
    if own is not None:
        return ROOT / "pipelines" / "compiled" / f"{own}.yaml"
    path = Path(pipeline)
    if not path.is_file():
        names = ", ".join(PIPELINES)
        raise ShopguideError(
            pipeline, "is no pipeline and no file", f"Name one of {names}, or a compiled file"
        )
    return path


def read_package(path: Path, *, cached: bool = True) -> Package:
    """Read a compiled pipeline, and check that a server of this kfp's version takes it.

    Args:
        path: of the file.
        cached: False switches kfp's cache off for every step, whatever was compiled.

    Raises:
        ShopguideError: it is no compiled pipeline, or one of another kfp.
    """
    documents = _documents(path)
    _refuse_other_kfp(path, documents[0])
    try:
        spec = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
        for platform in documents[1:]:
            json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    except json_format.ParseError as error:
        what = f"is no compiled pipeline: {str(error).splitlines()[0]}"
        raise ShopguideError(str(path), what, _RECOMPILE) from None
    if not spec.pipeline_info.name or not spec.root.dag.tasks:
        raise ShopguideError(str(path), "is no compiled pipeline: it has no steps", _RECOMPILE)
    text = path.read_text(encoding="utf-8")
    if not cached:
        text = _without_cache(documents)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Package(
        name=spec.pipeline_info.name,
        description=spec.pipeline_info.description,
        parameters=_parameters(spec),
        text=text,
        label=f"sha256-{digest}" + ("" if cached else "-no-cache"),
    )


def _documents(path: Path) -> list[dict[str, Any]]:
    try:
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), _LOADER))
    except (OSError, ValueError, yaml.YAMLError) as error:
        what = f"cannot be read: {' '.join(str(error).split())}"
        raise ShopguideError(str(path), what, "Name a compiled pipeline (YAML)") from None
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise ShopguideError(str(path), "is no compiled pipeline", _RECOMPILE)
    return documents


def _refuse_other_kfp(path: Path, document: dict[str, Any]) -> None:
    """The image's executor and the file must fit; both come from one kfp."""
    compiled, ours = str(document.get("sdkVersion", "")), f"kfp-{version('kfp')}"
    if not compiled.startswith("kfp-"):
        raise ShopguideError(str(path), "is no compiled pipeline: it has no sdkVersion", _RECOMPILE)
    if compiled.split(".")[:2] != ours.split(".")[:2]:
        raise ShopguideError(
            str(path), f"was compiled by {compiled}, and this is {ours}", _RECOMPILE
        )


def _parameters(spec: Any) -> dict[str, Parameter]:  # noqa: ANN401 - a protobuf message
    kinds = pipeline_spec_pb2.ParameterType.ParameterTypeEnum
    return {
        name: Parameter(
            type=kinds.Name(entry.parameter_type),
            required=not entry.is_optional and not entry.HasField("default_value"),
            description=entry.description,
        )
        for name, entry in sorted(spec.root.input_definitions.parameters.items())
    }


def _without_cache(documents: list[dict[str, Any]]) -> str:
    """Switch the cache off everywhere; kfp's own switch leaves out what is in an exit handler."""
    first = documents[0]
    for holder in (first["root"], *first.get("components", {}).values()):
        for task in holder.get("dag", {}).get("tasks", {}).values():
            task["cachingOptions"] = {}
    return yaml.safe_dump_all(documents, sort_keys=True, width=1_000_000)
