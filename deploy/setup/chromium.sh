#!/usr/bin/env bash
# Installs Chromium, in which the tests open the report, where it is missing and may be installed. Nothing but
# those tests needs it: without it, setup goes on and says how to get it.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done

install="apt-get install --yes --no-install-recommends chromium"
if ! command -v apt-get >/dev/null; then
  echo "The tests of the report need Chromium. Install it with this system's package manager." >&2
  exit 0
fi
if [ "$(id -u)" = 0 ]; then
  as_root=""
elif sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "The tests of the report need Chromium, and only root may install it: sudo $install" >&2
  exit 0
fi
echo "Installing Chromium, in which the tests open the report"
export DEBIAN_FRONTEND=noninteractive
$as_root $install >/dev/null 2>&1 || { $as_root apt-get update -qq && $as_root $install >/dev/null; } ||
  echo "Chromium could not be installed; the tests of the report will fail without it." >&2
