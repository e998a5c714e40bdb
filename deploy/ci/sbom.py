"""List what is in an image as CycloneDX 1.5 JSON: Python's packages, and Debian's where it has any.

Runs inside the image, on its own Python: `python3 - IMAGE < deploy/ci/sbom.py`.
"""

import json
import re
import sys
import uuid
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

DPKG = Path("/var/lib/dpkg/status")


def python_component(package: Distribution) -> dict[str, Any]:
    """Return the entry of a Python package."""
    name = re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()
    return library(name, package.version, f"pkg:pypi/{name}@{package.version.replace('+', '%2B')}")


def debian_components() -> list[dict[str, Any]]:
    """Return the entries of the installed Debian packages."""
    if not DPKG.is_file():
        return []
    found = []
    for paragraph in DPKG.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Architecture|Status): (.*)$", paragraph, re.M))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            quoted = version.replace("+", "%2B").replace("~", "%7E").replace(":", "%3A")
            purl = f"pkg:deb/debian/{name}@{quoted}?arch={fields['Architecture']}"
            found.append(library(name, version, purl))
    return found


def library(name: str, version: str, purl: str) -> dict[str, Any]:
    """Return an entry."""
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def requirements(packages: list[Distribution], known: dict[str, str]) -> list[dict[str, Any]]:
    """Return which package needs which, of those that are there."""
    answer = []
    for package in packages:
        names = {
            re.sub(r"[-_.]+", "-", match.group()).lower()
            for text in package.requires or []
            if (match := re.match(r"[\w.-]+", text)) and "extra ==" not in text
        }
        own = python_component(package)["bom-ref"]
        answer.append({"ref": own, "dependsOn": sorted(known[n] for n in names if n in known)})
    return answer


def main() -> None:
    """Print the list of the image that is named."""
    image, _, version = sys.argv[1].rpartition(":")
    packages = sorted(distributions(), key=lambda package: package.metadata["Name"].lower())
    python = [python_component(package) for package in packages]
    components = python + debian_components()
    root = {"type": "container", "bom-ref": sys.argv[1], "name": image, "version": version}
    contents = " ".join(part["bom-ref"] for part in [root, *components])
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, contents)}",
        "version": 1,
        "metadata": {"component": root},
        "components": components,
        "dependencies": requirements(packages, {p["name"]: p["bom-ref"] for p in python}),
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
