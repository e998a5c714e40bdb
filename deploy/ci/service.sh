#!/usr/bin/env bash
# A promoted model as an image, on any machine with docker; the workflows call nothing else.
#
#   deploy/ci/service.sh build    the `serve` image, the Bento (where BUNDLE is given), and both in one image
#   deploy/ci/service.sh smoke    start it, without network and read-only, and compare it with the gate's model
#   deploy/ci/service.sh sbom     CycloneDX list of what is in it, and how it came to be (in-toto)
#   deploy/ci/service.sh push     to REGISTRY; prints the name with its digest
#   deploy/ci/service.sh deploy   that one to the Deployment `ranking` in NAMESPACE; back to the former one if it fails
#
# Settings:
#   BENTO     bento.txt of a run or of `shopguide package`, or a built Bento's folder (default: runs/bento/bento.txt)
#   BUNDLE    build the Bento from this bundle instead (`shopguide champion --out DIR`)
#   FEATURES  a home: smoke reads a copy of its sqlite feature store, and a degraded answer is a failure (without: it is told)
#   OUT       where smoke.json, sbom.json and provenance.json go (default: dist)
#   REGISTRY  registry and repository that the image is pushed to; push needs it, and a login
#   NAMESPACE of the service; deploy needs it, and kubectl with an account (deploy/kubernetes/deployer)
#   BASE, PYTHON   see deploy/images/build.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

OUT=${OUT:-dist}
python=${PYTHON:-.venv/bin/python}
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' shopguide/__init__.py)
serve_image="${REPOSITORY:-shopguide}/serve-python3.11:$version"

fail() { echo "$1" >&2; exit 2; }

bento_folder() {
    local named=${BENTO:-runs/bento/bento.txt}
    [ -z "${BUNDLE:-}" ] || named=$OUT/bento.txt
    if [ -f "$named" ]; then named=$(tail -n 1 "$named"); fi
    if [ ! -f "$named/bento.yaml" ]; then
        [ -z "${BUNDLE:-}" ] || fail "$named: no Bento was built from BUNDLE yet. Run \`deploy/ci/service.sh build\` first."
        fail "$named: no built Bento there. Run \`shopguide package\`, or set BENTO or BUNDLE."
    fi
    echo "$named"
}

image() { # the name of the Bento is that of the image; its version, of bundle and service, is the tag
    local folder; folder=$(bento_folder) || exit
    echo "${REPOSITORY:-shopguide}/$(sed -n 's/^name: //p' "$folder/bento.yaml"):$(sed -n 's/^version: //p' "$folder/bento.yaml")"
}

build() {
    mkdir -p "$OUT"
    if [ -n "${BUNDLE:-}" ]; then
        "$python" - "$BUNDLE" > "$OUT/bento.txt" <<'PYTHON'
import sys
from shopguide.bundle import load_bundle
from shopguide.packaging import build_bento
bento = build_bento(load_bundle(sys.argv[1]).spec, sys.argv[1])
print(bento.tag, bento.path, sep="\n")
PYTHON
    fi
    local folder tag; folder=$(bento_folder) || exit; tag=$(image) || exit
    deploy/images/build.sh serve
    DOCKER_BUILDKIT=1 docker build --quiet --network none --file deploy/images/Dockerfile.bento \
        --build-arg "SERVE=$serve_image" --build-arg "TAG=${tag##*:}" \
        --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
        --tag "$tag" "$folder" >/dev/null
    docker image inspect --format "$tag {{.Size}} bytes {{.Id}}" "$tag"
}

smoke() {
    local tag container copy="" store=() asks=() result=0; tag=$(image) || exit
    if [ -n "${FEATURES:-}" ]; then
        [ -f "$FEATURES/feature_store/online.db" ] || fail "$FEATURES/feature_store/online.db: no such file. Set FEATURES to the home that \`shopguide materialize\` filled."
        copy=$(mktemp -d)
        cp -r "$FEATURES/feature_store" "$copy/"
        chmod -R a+rwX "$copy"
        store=(--volume "$copy/feature_store:/state/feature_store")
        asks=(--features)
    fi
    container=$(docker run --detach --network none --read-only --tmpfs /tmp --tmpfs /state:mode=1777 ${store[@]+"${store[@]}"} \
        --cap-drop ALL --security-opt no-new-privileges --memory 1g --pids-limit 200 \
        --env SHOPGUIDE_API_KEY=a-key-for-this-smoke-test-only "$tag")
    mkdir -p "$OUT"
    docker exec --interactive "$container" python3 - ${asks[@]+"${asks[@]}"} < deploy/ci/smoke.py | tee "$OUT/smoke.json" || result=$?
    [ "$result" = 0 ] || docker logs "$container" >&2
    docker rm --force "$container" >/dev/null
    [ -z "$copy" ] || rm -rf "$copy"
    return "$result"
}

sbom() {
    local tag; tag=$(image) || exit
    docker run --rm --interactive --network none "$tag" python3 - "$tag" < deploy/ci/sbom.py > "$OUT/sbom.json"
    "$python" deploy/ci/provenance.py "$tag" "$(docker image inspect --format '{{.Id}}' "$tag")" "$(bento_folder)" > "$OUT/provenance.json"
    echo "$OUT/sbom.json $OUT/provenance.json"
}

push() {
    [ -n "${REGISTRY:-}" ] || fail "REGISTRY is not set: name the registry and repository, as in registry.example/shop/ranking."
    local tag target; tag=$(image) || exit; target="$REGISTRY:${tag##*:}"
    docker tag "$tag" "$target"
    docker push --quiet "$target" >/dev/null
    docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$target" | grep "^$REGISTRY@" | head -1 | tee "$OUT/pushed.txt"
}

deploy() {
    [ -n "${NAMESPACE:-}" ] || fail "NAMESPACE is not set: name the one that holds the Deployment \`ranking\`."
    [ -s "$OUT/pushed.txt" ] || fail "$OUT/pushed.txt: nothing was pushed. Run \`deploy/ci/service.sh push\`."
    local cluster=(kubectl --namespace "$NAMESPACE")
    "${cluster[@]}" set image deployment/ranking "ranking=$(cat "$OUT/pushed.txt")"
    if ! "${cluster[@]}" rollout status deployment/ranking --timeout="${TIMEOUT:-300s}"; then
        "${cluster[@]}" rollout undo deployment/ranking
        echo "the new version did not get ready; the former one is back" >&2
        return 1
    fi
}

case "${1:-}" in
    build | smoke | sbom | push | deploy) "$1" ;;
    *) fail "usage: deploy/ci/service.sh build|smoke|sbom|push|deploy" ;;
esac
