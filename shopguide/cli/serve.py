"""`shopguide serve`: serve the champion."""

import os
from typing import Annotated

import typer

from shopguide.cli.common import DEFAULT_SPEC, Overrides, Profile, SpecPath, stderr


def serve(
    spec: SpecPath = DEFAULT_SPEC,
    port: Annotated[
        int | None, typer.Option(help="Port; the spec's if none.", min=1, max=65535)
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    allow_open: Annotated[
        bool, typer.Option("--allow-open", help="Listen outside loopback without a key.")
    ] = False,
    overrides: Overrides = None,
    profile: Profile = None,
) -> None:
    """Serve the champion's Bento in the foreground."""
    from shopguide.packaging import refuse_busy_port, refuse_open
    from shopguide.packaging import serve as serve_bento
    from shopguide.registry import NoChampionError, champion_bento
    from shopguide.spec import load_spec
    from shopguide.spec.serving import ALLOW_OPEN

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    found = champion_bento(loaded)
    if found is None:
        raise NoChampionError(
            f"registry, model {loaded.name}",
            "there is no champion with a Bento",
            "Run `make run` first",
        )
    version, tag = found
    if allow_open:
        os.environ[ALLOW_OPEN] = "1"
    refuse_busy_port(host, port or loaded.serving.port)
    refuse_open(host, os.environ)
    stderr.print(
        f"champion {version} ({tag}) on http://{host}:{port or loaded.serving.port}",
        highlight=False,
    )
    serve_bento(loaded, tag, host=host, port=port)
