#!/usr/bin/env bash
# Build the images on this machine's docker: deploy/images/build.sh [train] [serve]
#
# Packages are fetched here, with this machine's own pip settings (mirrors, certificates), and checked
# by their hashes; the build itself has no network. Settings, all optional:
#   BASE      image with Python 3.11 and venv, best by digest (default: the Dockerfile's)
#   PYTHON    Python 3.11 on Linux x86-64 that fetches the packages (default: .venv/bin/python)
#   REPOSITORY  what the names of the images begin with (default: shopguide)
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-.venv/bin/python}
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' shopguide/__init__.py)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export DOCKER_BUILDKIT=1

mkdir -p deploy/images/wheels
requirements=(build "${@:-train}")
[ $# -gt 0 ] || requirements+=(serve)
fetch() { # into wheels; with "--no-index", only a look whether all of them are there
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --no-build-isolation \
        --require-hashes --dest deploy/images/wheels --find-links deploy/images/wheels \
        --requirement "deploy/images/requirements-$1.txt" "${@:2}"
}
for name in "${requirements[@]}"; do
    fetch "$name" --no-index >/dev/null 2>&1 || fetch "$name"
done
for target in "${requirements[@]:1}"; do
    image="${REPOSITORY:-shopguide}/$target-python3.11:$version"
    docker build --quiet --network none --target "$target" --file deploy/images/Dockerfile \
        ${BASE:+--build-arg "BASE=$BASE"} --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" \
        --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --tag "$image" . >/dev/null
    docker image inspect --format "$image {{.Size}} bytes {{.Id}}" "$image"
done
