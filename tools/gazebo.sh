#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/gazebo.sh: makes Gazebo classic 11 available: checks the one that is installed, or else puts
# Debian bullseye's, the last that packages it, into a folder of its own in the cache. Does only what
# is missing, says what it does on standard error, and may be interrupted and called again.
#
# M2VAE_CACHE chooses the cache (otherwise XDG's), GAZEBO_MIRROR the mirror of Debian (otherwise that
# of this machine's apt, if it has one).
set -euo pipefail

suite=bullseye
packages=(gazebo gazebo-plugin-base libgl1-mesa-dri xvfb xauth)
protos=usr/include/gazebo-11/gazebo/msgs/proto # of libgazebo-dev, which needs not be installed
needed_megabytes=2000

cache=${M2VAE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/m2vae_ros}
root=$cache/gazebo-11
unfinished=$root.unfinished
log=$cache/gazebo-11.log

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "gazebo: $*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# A folder, and the missing ones above it. They belong to who called sudo, who keeps more there.
make_folder() {
    [ ! -d "$1" ] || return 0
    make_folder "$(dirname "$1")"
    mkdir -p "$1" # another call may make it, too
    [ -z "${SUDO_UID:-}" ] || chown "$SUDO_UID:${SUDO_GID:-}" "$1"
}

# A complete installation has its last part, the messages.
is_complete() { [ -x "$1/usr/bin/gzserver" ] && [ -f "$1/$protos/world_stats.proto" ]; }

# --- what is there already ------------------------------------------------------------------------

if have gzserver && [ -f "/$protos/world_stats.proto" ]; then
    have Xvfb || fail "gzserver is installed, but no Xvfb to draw on: apt-get install xvfb"
    exit 0
fi
is_complete "$root" && exit 0

# --- what building takes --------------------------------------------------------------------------

[ "$(id -u)" -eq 0 ] || fail "Gazebo is not installed, and making $root takes root, once:" \
    "sudo M2VAE_CACHE=$cache tools/gazebo.sh"
[ "$(uname -m)" = x86_64 ] || fail "bullseye's Gazebo is taken for x86-64 only, this is $(uname -m)"
make_folder "$cache"
exec 9>"$root.lock"
if ! flock -n 9; then
    say "gazebo: waiting for another that makes $root"
    flock 9
    is_complete "$root" && exit 0
fi

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if ! have debootstrap || [ ! -f $keyring ]; then
    have apt-get || fail "debootstrap and debian-archive-keyring are missing, and there is no apt"
    say "gazebo: installing debootstrap"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends debootstrap debian-archive-keyring; } >"$log" 2>&1 ||
        fail "could not install debootstrap: $(grep -m1 '^E:' "$log" || tail -n1 "$log") (log: $log)"
fi
free=$(($(df -Pk "$cache" | awk 'NR == 2 { print $4 }') / 1024))
[ "$free" -ge $needed_megabytes ] ||
    fail "needs $needed_megabytes MB of free disk space in $cache, there are $free MB"

# The mirror and the proxy that apt uses here; elsewhere than on Debian, Debian's own.
apt_mirror() {
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}
mirror=${GAZEBO_MIRROR:-$(apt_mirror || true)} # there may be no apt
mirror=${mirror:-http://deb.debian.org/debian}
if have apt-config && [ -z "${http_proxy:-}" ]; then
    eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
    export http_proxy
fi

# --- building -------------------------------------------------------------------------------------

# In namespaces of its own: whatever runs there and is mounted into the folder ends with this script.
build() {
    debootstrap --variant=minbase --keyring=$keyring $suite "$unfinished" "$mirror"
    # Nobody reads manuals there, and what an interruption leaves is thrown away.
    cat >"$unfinished/etc/dpkg/dpkg.cfg.d/small" <<-END
	force-unsafe-io
	path-exclude=/usr/share/doc/*
	path-exclude=/usr/share/locale/*
	path-exclude=/usr/share/man/*
	END
    printf '#!/bin/sh\nexit 101\n' >"$unfinished/usr/sbin/policy-rc.d" # no service starts there
    chmod +x "$unfinished/usr/sbin/policy-rc.d"
    mount -t proc proc "$unfinished/proc"
    in_there() {
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C ${http_proxy:+http_proxy="$http_proxy"} \
            DEBIAN_FRONTEND=noninteractive chroot "$unfinished" "$@"
    }
    in_there apt-get update
    in_there apt-get install -y --no-install-recommends "${packages[@]}"
    in_there sh -ec "mkdir -m 777 /messages
        cd /messages
        apt-get download libgazebo-dev
        dpkg-deb --fsys-tarfile libgazebo-dev_*.deb | tar -x -C / --no-same-owner ./$protos
        rm -r /messages
        apt-get clean
        rm -rf /var/lib/apt/lists/* /var/log/*"
    umount "$unfinished/proc"
}

building=
discard() {
    if [ -n "$building" ]; then
        kill -KILL "$building" 2>/dev/null || true
        wait "$building" 2>/dev/null || true
    fi
    # Who was killed may still be writing for a moment.
    for _ in 1 2 3 4 5; do
        rm -rf --one-file-system "$unfinished" 2>/dev/null && return
        sleep 1
    done
    say "gazebo: could not remove $unfinished"
}

discard
trap discard EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
say "gazebo: putting Debian $suite with Gazebo 11 into $root (240 MB to fetch, 900 MB on disk," \
    "a few minutes)"
# In the background, for a signal is heeded while waiting only.
unshare --mount --pid --fork --kill-child --mount-proc bash -c "set -euo pipefail
    $(declare -p suite packages protos unfinished keyring mirror)
    $(declare -f build); build" >"$log" 2>&1 &
building=$!
wait "$building" ||
    fail "could not make it: $(grep -m1 '^E:' "$log" || tail -n1 "$log") (log: $log)"
building=
is_complete "$unfinished" || fail "could not make it: gzserver or its messages are missing (log: $log)"
rm -rf --one-file-system "$root"
mv "$unfinished" "$root"
rm -f "$log"
say "gazebo: ready"
