"""The parts that a network is made of, by name: a new one is a file and a line here.

Each name stands for `module:class`. The classes need torch; their names alone do not, so that a
spec is checked, and a mistyped name refused, before anything heavy is loaded.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

ARCHITECTURES: dict[str, str] = {
    "single_task": "shopguide.models.single_task:SingleTask",
    "shared_bottom": "shopguide.models.shared_bottom:SharedBottom",
    "cross_stitch": "shopguide.models.cross_stitch:CrossStitch",
    "soft_sharing": "shopguide.models.soft_sharing:SoftSharing",
    "task_relation": "shopguide.models.task_relation:TaskRelation",
    "mmoe": "shopguide.models.mmoe:MMoE",
    "cgc": "shopguide.models.cgc:CGC",
    "ple": "shopguide.models.ple:PLE",
    "adatt": "shopguide.models.adatt:AdaTT",
    "stem": "shopguide.models.stem:STEM",
    "aitm": "shopguide.models.aitm:AITM",
    "esmm": "shopguide.models.esmm:ESMM",
    "pepnet": "shopguide.models.pepnet:PEPNet",
}
"""`model.architecture`: from one input to a representation per task."""

HEADS: dict[str, str] = {
    "binary": "shopguide.models.heads.binary:BinaryHead",
    "funnel": "shopguide.models.heads.funnel:FunnelHead",
    "category": "shopguide.models.heads.category:CategoryHead",
    "ziln": "shopguide.models.heads.ziln:ZilnHead",
    "tweedie": "shopguide.models.heads.tweedie:TweedieHead",
    "huber_log": "shopguide.models.heads.huber_log:HuberLogHead",
}
"""From a task's representation to its likelihood; an amount's `loss` names one of its own."""

LIST_ENCODERS: dict[str, str] = {
    "mean": "shopguide.models.lists.mean:Mean",
    "din": "shopguide.models.lists.din:DIN",
    "transformer": "shopguide.models.lists.transformer:Transformer",
}
"""`model.lists.NAME.encoder`: from the embeddings of a list's values to one vector."""

_NO_AMOUNTS = ("binary", "funnel", "category")


def amount_losses() -> dict[str, str]:
    """Return the heads that an amount may have."""
    return {name: entry for name, entry in HEADS.items() if name not in _NO_AMOUNTS}


def _known(name: str, table: Mapping[str, str]) -> str:
    if name not in table:
        choices = ", ".join(map(repr, table))
        raise PydanticCustomError(
            "literal_error", "must be one of {expected}", {"expected": choices}
        )
    return name


ArchitectureName = Annotated[
    str,
    AfterValidator(lambda name: _known(name, ARCHITECTURES)),
    Field(json_schema_extra=lambda schema: schema.update(enum=sorted(ARCHITECTURES))),
]

ListEncoderName = Annotated[
    str,
    AfterValidator(lambda name: _known(name, LIST_ENCODERS)),
    Field(json_schema_extra=lambda schema: schema.update(enum=sorted(LIST_ENCODERS))),
]

AmountLoss = Annotated[
    str,
    AfterValidator(lambda name: _known(name, amount_losses())),
    Field(json_schema_extra=lambda schema: schema.update(enum=sorted(amount_losses()))),
]

Balancing = Literal[
    "weighted_sum",
    "uncertainty",
    "geometric_mean",
    "dwa",
    "famo",
    "upgrad",
    "mgda",
    "pcgrad",
    "cagrad",
    "aligned_mtl",
    "imtl_g",
    "nash_mtl",
]
