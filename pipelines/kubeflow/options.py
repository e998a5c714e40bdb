"""Options that the client verbs share."""

from pathlib import Path
from typing import Annotated

import typer

Host = Annotated[
    str | None,
    typer.Option(
        help="Address of Kubeflow Pipelines; behind Kubeflow's dashboard it ends in /pipeline.",
        envvar=["KFP_HOST", "KF_PIPELINES_ENDPOINT"],
    ),
]
Namespace = Annotated[
    str | None, typer.Option(help="Yours, where the server has users.", envvar="KFP_NAMESPACE")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(help="File with a bearer token; or set KFP_TOKEN.", envvar="KFP_TOKEN_FILE"),
]
CookieFile = Annotated[
    Path | None,
    typer.Option(
        help="File with a session's cookie (Dex), NAME=VALUE; or set KFP_COOKIE.",
        envvar="KFP_COOKIE_FILE",
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(help="Certificates to trust (PEM), for a CA of your own.", envvar="KFP_CA_FILE"),
]
Pipeline = Annotated[
    str, typer.Argument(help="Name of a pipeline, or path of a compiled file (for your image).")
]
OfSpec = Annotated[
    Path | None,
    typer.Option("--spec", help="Spec (YAML) for the parameter spec_text.", dir_okay=False),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="Parameter of the pipeline; repeat."),
]
ParamsFile = Annotated[
    Path | None, typer.Option(help="File with parameters (YAML or JSON).", dir_okay=False)
]
Experiment = Annotated[
    str | None, typer.Option(help="Of the run; none: the pipeline's name.", envvar="KFP_EXPERIMENT")
]
PipelineRoot = Annotated[
    str | None, typer.Option(help="Where steps leave their outputs, such as s3://BUCKET/PREFIX.")
]
ServiceAccount = Annotated[str | None, typer.Option(help="Kubernetes account of the steps.")]
Timeout = Annotated[
    str | None, typer.Option(help="Patience, such as 90s, 30m, 6h; none: without end.")
]
Interval = Annotated[float, typer.Option(help="Pause between two questions, s.", min=0.1)]
RunId = Annotated[str, typer.Argument(help="Kubeflow's id of the run, as submit prints it.")]
