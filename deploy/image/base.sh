#!/usr/bin/env bash
# Makes a base of Debian packages alone, where no registry of images can be reached: an image with Python as `python`.
# Needs root, debootstrap and buildah. Usage: base.sh [TAG [MIRROR]]
set -euo pipefail

tag=${1:-localhost/python-base}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" ${2:+"$2"}
ln -s python3 "$root/usr/bin/python"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

container=$(buildah from scratch)
buildah copy --quiet "$container" "$root" /
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd python "$container"
buildah commit --quiet --rm "$container" "$tag"
