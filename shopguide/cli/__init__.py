"""The command line: `shopguide VERB --spec FILE`."""

from shopguide.cli.main import main

__all__ = ["main"]
