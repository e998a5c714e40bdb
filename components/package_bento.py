"""Component: build the Bento, start it, and compare its answers with the bundle's."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components._image import component


@component
def package_bento(
    spec: Input[Artifact],
    model: Input[Model],
    training_set: Input[Dataset],
    bento: Output[Artifact],
) -> bool:
    """Build the Bento, start it, and compare its answers with the bundle's.

    Needs: 1 GiB; it starts the service on the loopback address.

    Again: finds the Bento built, and tries it anew.

    Fails: the bundle is broken or unsolved. A service that is not as it must be is no failure:
    the output is False.

    Args:
        spec: Checked spec, from check-spec.
        model: Bundle that passed the gate.
        training_set: Training set; recorded requests of its test period are replayed over HTTP.
        bento: Directory of bento.txt (tag and path) and blessing.json.

    Returns:
        True iff the service's scores, schema and latency are as they must be.
    """
    from shopguide.packaging import package_bento
    from shopguide.spec import load_spec
    from shopguide.step import step

    with step("package_bento"):
        blessing = package_bento(load_spec(spec.path), model.path, training_set.path, bento.path)
    return blessing.blessed
