"""Write the requirements of the images, with hashes, from what constraints.txt pins.

    python deploy/images/lock.py

pip resolves; this only writes down what it chose. No address of an index gets into the files: where
packages come from is the business of the machine that builds. The hashes are of Linux x86-64 wheels
for Python 3.11, and of torch's CPU build (which PyPI does not have: name an index that has it in
`PIP_EXTRA_INDEX_URL` or `PIP_FIND_LINKS`).
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]

TYPING_ONLY = ("ast-serialize", "librt", "mypy", "mypy-extensions", "types-greenlet")
"""What Feast asks for through `SQLAlchemy[mypy]`: nothing imports it while it runs."""


def wanted() -> dict[str, list[str]]:
    """Return what the service and the components ask for, and what builds a source package."""
    sys.path.insert(0, str(ROOT))
    from shopguide.packaging.build import SERVICE_PACKAGES, STORE_PACKAGES

    stores = [name for names in STORE_PACKAGES.values() for name in names]
    return {
        "serve": [*SERVICE_PACKAGES, *stores],
        "train": [f"{ROOT}[redis,postgres,search,balancers]"],
        "build": ["setuptools>=77", "wheel"],
    }


def resolve(requirements: list[str]) -> list[dict[str, Any]]:
    """Let pip resolve within the constraints; return the packages of its report."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    pinned = ["--quiet", "--constraint", str(ROOT / "constraints.txt")]
    done = subprocess.run(
        [*command, *pinned, "--report", "-", *requirements], stdout=subprocess.PIPE, check=True
    )
    installed: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return [package for package in installed if package["metadata"]["name"] != "shopguide"]


def line(package: dict[str, Any]) -> str:
    """Return the line of one package; a local version (`+cpu`) is left to the hash."""
    name, version = package["metadata"]["name"], package["metadata"]["version"].split("+")[0]
    digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{name.lower().replace('_', '-')}=={version} --hash=sha256:{digest}"


def main() -> None:
    """Write `requirements-IMAGE.txt` for each image, and for the stage that builds them."""
    for image, requirements in wanted().items():
        lines = sorted(line(package) for package in resolve(requirements))
        lines = [text for text in lines if text.split("==")[0] not in TYPING_ONLY]
        heading = "# Written by deploy/images/lock.py from constraints.txt; do not edit."
        path = FOLDER / f"requirements-{image}.txt"
        path.write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {len(lines)} packages")


if __name__ == "__main__":
    os.environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    main()
