"""The network and how it is trained."""

from typing import Annotated, Literal

from pydantic import Field

from shopguide.spec._section import Fraction, Name, Rate, Section
from shopguide.spec.inputs import Buckets, Cross, ListInput, Transform, Units
from shopguide.spec.parts import ArchitectureName, Balancing
from shopguide.spec.study import Study

Stored = Literal["float32", "float16", "int8"]


class Model(Section):
    """The architecture shared by all tasks; sizes are numbers of units."""

    architecture: ArchitectureName = Field(
        "mmoe", description="How the tasks share; `shopguide.models` has a file for each."
    )
    embedding_dim: int = Field(16, ge=1, le=512, description="Largest embedding of a categorical.")
    experts: int = Field(4, ge=1, le=64, description="Experts that the tasks share.")
    task_experts: int = Field(
        2, ge=1, le=64, description="Experts of each task's own (cgc, ple, adatt, stem)."
    )
    levels: int = Field(2, ge=1, le=8, description="Levels of experts (ple, adatt).")
    tie: Literal["l2", "trace_norm"] = Field(
        "l2",
        description="What soft_sharing makes dear: squared distance of the tasks' weights "
        "from their mean, or the rank of their weights.",
    )
    tie_weight: float = Field(
        1e-4, ge=0, description="Weight of that penalty (soft_sharing, task_relation)."
    )
    scenario_inputs: list[Name] = Field(
        default_factory=list,
        description="Inputs that scale all inputs (pepnet), as a store or a page; none: all ids "
        "and categories.",
    )
    person_inputs: list[Name] = Field(
        default_factory=list,
        description="Inputs that scale each task's layers (pepnet), as the user; none: likewise.",
    )
    hidden: list[Units] = Field(default=[128, 64], min_length=1, description="Shared layers.")
    tower: list[Units] = Field(default=[32], description="Layers of each task's own tower.")
    dropout: float = Field(0.1, ge=0, lt=1)
    batch_norm: bool = True
    unknown_rate: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of ids (categoricals of over 1,000 values) that training sees as "
        "unknown: new ones are served well, and known ones are not learnt by heart.",
    )
    max_vocabulary: int = Field(
        200_000, ge=2, description="Values of a categorical that get an embedding; rarer share one."
    )
    hashing: dict[Name, Buckets] = Field(
        default_factory=dict,
        description="Input → buckets: a huge id is hashed instead of having a vocabulary. At least "
        "as many as there are values in training.",
    )
    embeddings: dict[Name, Units] = Field(
        default_factory=dict, description="Input → units of its embedding; else by a rule."
    )
    crosses: list[Cross] = Field(
        default_factory=list,
        description="Categorical inputs whose combination is an input too, called A_x_B.",
    )
    transforms: dict[Name, Transform] = Field(
        default_factory=dict,
        description="Numeric input → how it is scaled; `auto` takes the logarithm of heavy tails.",
    )
    lists: dict[Name, ListInput] = Field(
        default_factory=dict, description="Columns of the training set that hold lists of values."
    )
    position_bias: bool = Field(
        False,
        description="Learn how the position in the list moves the first stage, and leave it out "
        "when serving: what is liked is told from what was seen first.",
    )
    min_count: int = Field(2, ge=1, description="Rows that a value needs for one of its own.")


class Candidates(Section):
    """Models of which the best is taken: all combinations of what is listed."""

    architectures: list[ArchitectureName] = Field(
        default_factory=list, description="Values of model.architecture; none: the spec's."
    )
    balancers: list[Balancing] = Field(
        default_factory=list, description="Values of training.balancer; none: the spec's."
    )
    seeds: list[Annotated[int, Field(ge=0, lt=2**32)]] = Field(
        default_factory=list, description="Values of seed; none: the spec's."
    )


class Training(Section):
    """One training run."""

    batch_size: int = Field(2048, ge=2, description="Rows a step, in each process.")
    shuffle_rows: int = Field(
        262_144,
        ge=2048,
        description="Rows held at a time and shuffled; a smaller split is shuffled as a whole.",
    )
    start: Literal["scratch", "champion"] = Field(
        "scratch",
        description="champion: the champion's weights, vocabularies (new values behind its own) "
        "and scales, where there is one of the same inputs; its bundle keeps weights.npz for it.",
    )
    epochs: int = Field(8, ge=1, description="Most passes over the training period.")
    max_steps: int | None = Field(None, ge=1, description="Most optimiser steps; null: no limit.")
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-5, ge=0)
    schedule: Literal["constant", "cosine", "linear"] = Field(
        "cosine", description="Learning rate over the planned steps: as it is, or falling to 0."
    )
    warmup_steps: int = Field(0, ge=0, description="Steps over which the rate rises from 0.")
    clip_norm: float | None = Field(
        None, gt=0, description="Largest norm of the whole gradient; null: no limit."
    )
    optimizer: Literal["adam", "rowwise_adagrad"] = Field(
        "adam",
        description="`rowwise_adagrad`: for the embeddings of large categoricals, whose rows then "
        "cost nothing while they do not occur; AdamW for all else.",
    )
    table_learning_rate: float = Field(
        0.1, gt=0, description="Rate of the large embeddings under rowwise_adagrad."
    )
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32",
        description="Of the shared layers' products; `auto`: bfloat16 if this processor is faster "
        "with it. Towers, heads, losses and weights stay float32.",
    )
    balancer: Balancing = Field(
        "weighted_sum", description="How the tasks' gradients of the shared part are combined."
    )
    balance_every: int = Field(
        1, ge=1, description="Steps for which a balancer of gradients keeps its weights."
    )
    task_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="Weight of each task's loss; 1 where none is given."
    )
    patience: int = Field(2, ge=1, description="Epochs without a better validation loss.")
    checkpoint_every: int | None = Field(
        None, ge=1, description="Steps between checkpoints; null: one at the end of each epoch."
    )
    row_fraction: Rate = Field(
        1.0, description="Share of training requests used, by hash (for learning curves)."
    )
    export: Stored = Field(
        "float32",
        description="How the bundle stores its weights; the run tells what fewer bits cost in AUC.",
    )
    calibration: Literal["auto", "none", "isotonic", "platt", "beta", "temperature"] = Field(
        "auto",
        description="Of each binary task: the kind to try, `auto` for all of them. Fitted on "
        "validation users, kept only if it helps on users that it was not fitted on.",
    )
    label_smoothing: Fraction = Field(
        0.0, description="Binary labels move this share of the way to the task's rate."
    )
    threads: int | None = Field(None, ge=1, le=1024, description="Null: all cores.")
    candidates: Candidates | None = Field(
        None, description="Several models to train, of which the gate gets the best."
    )
    study: Study | None = Field(
        None, description="What `shopguide train --study N` searches; null: the default space."
    )
