#!/usr/bin/env bash
# Installs bubblewrap, the sandbox of the local stack, where it is missing and may be installed.
set -euo pipefail
command -v bwrap >/dev/null && exit 0

install="apt-get install --yes --no-install-recommends bubblewrap"
if ! command -v apt-get >/dev/null; then
  echo "bubblewrap is missing. Install it with this system's package manager (bubblewrap 0.8 or newer)." >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then
  as_root=""
elif sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "bubblewrap is missing and only root may install it: sudo $install" >&2
  exit 1
fi
echo "Installing bubblewrap, the sandbox of the local stack"
export DEBIAN_FRONTEND=noninteractive
$as_root $install >/dev/null 2>&1 || { $as_root apt-get update -qq && $as_root $install >/dev/null; }
