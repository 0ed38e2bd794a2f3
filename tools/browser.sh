#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs Debian's Chromium (as root), with which tests and tools/view_film.py look at the live view
# as a person would. It is not part of set-up: 80 MB to fetch and 400 MB on disk, for one test, which
# is skipped without it.
set -euo pipefail
for name in chromium google-chrome chromium-browser; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
command="apt-get install -y --no-install-recommends chromium"
if [ "$(id -u)" -ne 0 ]; then
    echo "browser: run this as root: $command" >&2
    exit 1
fi
apt-get update
DEBIAN_FRONTEND=noninteractive $command
