#!/usr/bin/env bash
# The tests that need containers, where docker may be missing and no registry can be reached.
#
# With a docker daemon (DOCKER_HOST, or the usual socket) its images are used. Without one, on Debian
# as root: a daemon of its own in a folder that is removed at the end, with a base image made of
# Debian packages. Packages for Python come as pip is set up here.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! docker info >/dev/null 2>&1; then
    packages=()
    [ -x /usr/bin/docker ] && command -v dockerd >/dev/null || packages+=(docker.io)
    command -v mmdebstrap >/dev/null || packages+=(mmdebstrap)
    command -v docker-registry >/dev/null || packages+=(docker-registry)
    if [ ${#packages[@]} -gt 0 ]; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    fi
    folder=$(mktemp -d /tmp/containers.XXXXXX)
    export PATH=/usr/bin:$PATH DOCKER_HOST=unix://$folder/docker.sock
    dockerd --host "$DOCKER_HOST" --data-root "$folder/data" --exec-root "$folder/exec" \
        --pidfile "$folder/pid" --bridge=none --iptables=false --storage-driver overlay2 \
        --default-ulimit nofile=20000:20000 >"$folder/log" 2>&1 &
    daemon=$!
    trap 'kill "$daemon" 2>/dev/null; wait "$daemon" || true; rm -rf "$folder"' EXIT
    for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
    docker info >/dev/null 2>&1 || { tail -5 "$folder/log" >&2; echo "docker does not start here" >&2; exit 2; }
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' "$release" - |
        docker import - shopguide-base:debian >/dev/null
    export BASE=shopguide-base:debian
fi

.venv/bin/python -m pytest -q -n 0 -m container "$@" tests/deploy
