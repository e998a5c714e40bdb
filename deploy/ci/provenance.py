"""Say how an image came to be: an in-toto statement with SLSA 1.0 provenance, unsigned.

    python deploy/ci/provenance.py IMAGE ID BENTO

GitHub's workflow has its own, signed; this one is for everywhere else, to be signed with what is
there.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INPUTS = (
    "constraints.txt",
    "deploy/images/Dockerfile",
    "deploy/images/Dockerfile.bento",
    "deploy/images/requirements-build.txt",
    "deploy/images/requirements-serve.txt",
)


def git(*arguments: str) -> str:
    """Return what git says; empty outside a repository."""
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def of_folder(folder: Path) -> str:
    """Return the digest of a folder's names and contents."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def main() -> None:
    """Print the statement."""
    image, identity, bento = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    files = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in INPUTS}
    materials = [
        {"uri": "git", "digest": {"gitCommit": git("rev-parse", "HEAD")}},
        {"uri": f"bento:{bento.parent.name}:{bento.name}", "digest": {"sha256": of_folder(bento)}},
        *({"uri": name, "digest": {"sha256": digest}} for name, digest in files.items()),
    ]
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": image, "digest": {"sha256": identity.removeprefix("sha256:")}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:shopguide:deploy/ci/service.sh:1",
                "externalParameters": {
                    "steps": ["build"],
                    "clean": not git("status", "--porcelain"),
                },
                "resolvedDependencies": materials,
            },
            "runDetails": {"builder": {"id": "deploy/ci/service.sh"}},
        },
    }
    print(json.dumps(statement, indent=1))


if __name__ == "__main__":
    main()
