#!/usr/bin/env bash
# Builds the worker's image, and with LOCAL=1 that of the local stack: with docker where its engine runs, else with
# buildah. Usage: build.sh [TAG]. From the environment:
#   BASE_IMAGE          what it is built on (python:3.11-slim)
#   PIP_CONF, CA_FILE   a pip.conf, and authorities to trust, for the build alone: they are in no layer
#   NPM_CONF            an .npmrc, likewise, for LOCAL=1
#   BUILDER             buildah: not docker, though it runs
# With buildah its own variables count too: STORAGE_DRIVER, BUILDAH_ISOLATION.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
if [ -n "${LOCAL:-}" ]; then
  tag=${1:-jsworker-local}
  file=deploy/local.Dockerfile
elif [ -n "${PIP_CONF:-}${CA_FILE:-}" ]; then
  tag=${1:-jsworker}
  file=$folder/Dockerfile
  pip="--mount=type=secret,id=pip,target=/etc/pip.conf"
  authorities="--mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt"
  sed "0,/^RUN /s||RUN $pip $authorities |" Dockerfile >"$file"
else
  tag=${1:-jsworker}
  file=Dockerfile
fi

version=$(sed -nE 's/^__version__ = "(.*)"/\1/p' worker/version.py)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
options=(--file "$file" --tag "$tag" --build-arg "VERSION=$version" --build-arg "REVISION=$revision")
[ -z "${BASE_IMAGE:-}" ] || options+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
[ -z "${PIP_CONF:-}" ] || options+=(--secret "id=pip,src=$PIP_CONF")
[ -z "${CA_FILE:-}" ] || options+=(--secret "id=ca,src=$CA_FILE")
[ -z "${NPM_CONF:-}" ] || options+=(--secret "id=npm,src=$NPM_CONF")

if [ "${BUILDER:-docker}" = docker ] && docker info >/dev/null 2>&1; then
  DOCKER_BUILDKIT=1 docker build "${options[@]}" .
elif command -v buildah >/dev/null; then
  buildah build --format docker --layers "${options[@]}" . # the OCI format has no health checks
else
  echo "This needs docker with its engine running, or buildah (on Debian: apt-get install buildah)" >&2
  exit 1
fi
