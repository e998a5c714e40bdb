"""What `feast apply` registers: entities, feature views and the feature service of a spec.

The catalogue in the spec is the only definition; SHOPGUIDE_SPEC names another spec. What the
project has from other catalogues is declared as well, so that applying deletes nothing.
"""

import os
import sys
from pathlib import Path

import click

from shopguide.errors import ShopguideError
from shopguide.features.repository import declared_objects, is_config_of, write_config
from shopguide.spec import Spec, load_spec

_HERE = Path(__file__).resolve().parent
_DEFAULT = _HERE.parent / "specs" / "complete_journey.yaml"


def _objects() -> dict[str, object]:
    path = os.environ.get("SHOPGUIDE_SPEC", _DEFAULT)
    try:
        spec = load_spec(path)
        home = _HERE.parent / spec.home
        _require_its_project(spec, home)
        return declared_objects(spec, home)
    except ShopguideError as error:
        sys.exit(str(error))


def _require_its_project(spec: Spec, home: Path) -> None:
    """Apply a spec to no other's project: Feast chose one before it came here, by the YAML file.

    If that is of another spec, Feast starts again with the configuration of this one.
    """
    command = click.get_current_context(silent=True)
    if command is None:
        return  # imported by something else than `feast`
    used = Path(command.find_root().obj["FS_YAML_FILE"]).resolve()
    if is_config_of(used, _HERE, spec, home):
        return
    own = write_config(spec, home)
    if used != _HERE / "feature_store.yaml":
        raise ShopguideError(
            str(used),
            f"is not of the project {spec.name} in {home}; nothing was changed",
            f"Name its spec in SHOPGUIDE_SPEC, or give `-f {own}`",
        )
    sys.stdout.flush()
    rest = sys.argv[sys.argv.index(str(command.info_name)) :]
    os.execv(  # noqa: S606 - the same program, with another configuration
        sys.executable,
        [sys.executable, sys.argv[0], "-c", str(_HERE), "-f", str(own), *rest],
    )


# `feast apply` looks for objects among the names of this module, not in lists
globals().update(_objects())
