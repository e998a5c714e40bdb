"""The image that every component runs in, and the decorator that says so."""

from typing import Any

from kfp import dsl

from shopguide import __version__

IMAGE = f"shopguide/train-python3.11:{__version__}"


def component(function: Any) -> Any:  # noqa: ANN401 - kfp ships no types
    """Make a KFP component of a function; the image has every package, nothing is installed."""
    return dsl.component(
        function, base_image=IMAGE, packages_to_install=[], install_kfp_package=False
    )
