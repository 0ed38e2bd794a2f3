#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up what everything else needs: system packages, .venv with ROS 2 Jazzy, and the package
# built by colcon into install/. Does only what is missing or out of date, says what it does on
# standard error, and may be interrupted at any point and called again.
#
# tools/setup.sh      what robots run, the demo included
# tools/setup.sh view what the live view needs, too: its viewer is 230 MB to fetch
# tools/setup.sh all  what training, experiments and tests need, too: torch is the most of it
#
# PYTHON=/path/to/python3 chooses the interpreter; otherwise the first suitable one is taken.
# ROS_WHEELS=kilted takes ROS 2 Kilted, in .venv-kilted and install-kilted beside those.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"
# shellcheck source=tools/distribution.sh
. tools/distribution.sh
part=${1:-base}
case $part in
base) needed_megabytes=1500 ;;
view) needed_megabytes=2500 ;;
all) needed_megabytes=5000 ;;
*)
    echo "usage: tools/setup.sh [base|view|all]" >&2
    exit 2
    ;;
esac

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "set-up: $*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# --- what is up to date ---------------------------------------------------------------------------

# Digests of what each step is made from: where they match the stamps, the step is done. A digest
# holds the checkout's place, because a virtual environment and CMake's cache cannot be moved.
environment_digest() {
    {
        echo "$venv"
        cat requirements/{base,lock,ros,"$ROS_WHEELS"}.txt tools/fit_wheels.py
    } | sha256sum
}
view_digest() {
    {
        environment_digest
        cat requirements/view.txt
    } | sha256sum
}
all_digest() {
    {
        view_digest
        cat requirements/{train,dev,comparison}.txt
    } | sha256sum
}
build_digest() {
    {
        environment_digest
        cat package.xml CMakeLists.txt cmake/* msg/* srv/* tools/generate_interfaces.py
        cat test/data/interfaces/*/msg/* 2>/dev/null || true
    } | sha256sum
}
stamp_is() { [ -f "$1" ] && [ "$(<"$1")" = "$2" ]; }
environment_is_ready() {
    stamp_is "$venv/set-up" "$(environment_digest)" && [ -x "$venv/bin/python" ] || return
    case $part in
    view) stamp_is "$venv/set-up-view" "$(view_digest)" ;;
    all) stamp_is "$venv/set-up-all" "$(all_digest)" ;;
    esac
}
build_is_ready() { stamp_is "$install/set-up" "$(build_digest)"; }

# --- system packages ------------------------------------------------------------------------------

# Prints "MAJOR.MINOR PATH" of an interpreter that really runs (a pyenv shim may not); of a virtual
# environment, the interpreter it was made from.
describe_python() {
    "$1" -c 'import sys; print("%d.%d %s" % (*sys.version_info[:2], sys._base_executable))' 2>/dev/null
}

choose_python() {
    local candidate described seen=
    for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.10}; do
        described=$(describe_python "$candidate") || continue
        case $described in
        3.10\ * | 3.11\ * | 3.12\ * | 3.13\ *)
            python_version=${described%% *}
            python=${described#* }
            return 0
            ;;
        esac
        seen+="${seen:+, }$candidate is ${described%% *}"
    done
    if [ -z "$seen" ] && [ -z "${PYTHON:-}" ] && ! have python3; then
        python_version=3
        python=
        return 0
    fi
    fail "needs Python 3.10 to 3.13 (${seen:-${PYTHON:-python3} does not run});" \
        "install one, or name it: make setup PYTHON=/path/to/python3"
}

# Fills `missing` (in words) and `packages` (Debian's and Ubuntu's names).
find_missing() {
    missing=()
    packages=()
    lacks() {
        missing+=("$1")
        shift
        packages+=("$@")
    }
    have cc || have gcc || lacks "a C compiler" gcc libc6-dev
    have c++ || have g++ || lacks "a C++ compiler" g++
    have make || lacks "make" make
    have cmake || lacks "cmake" cmake
    if [ "${MUJOCO_GL:-osmesa}" = osmesa ] && ! PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null |
        grep -c 'libOSMesa\.so' >/dev/null; then
        lacks "software rendering (OSMesa)" libosmesa6
    fi
    if [ -z "$python" ]; then
        lacks "Python" python3 python3-dev python3-venv
        return
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        lacks "Python's venv module" "python$python_version-venv"
    fi
    if ! "$python" -c 'import os, sysconfig
os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null; then
        lacks "Python's header files" "python$python_version-dev"
    fi
}

ensure_system() {
    case $(uname -sm) in
    'Linux x86_64') ;;
    *) fail "ROS 2 comes here as wheels for x86-64 Linux only, this is $(uname -sm);" \
        "use an installed ROS 2 and colcon instead" ;;
    esac
    choose_python
    find_missing
    [ ${#missing[@]} -eq 0 ] && return
    local command="apt-get install -y --no-install-recommends ${packages[*]}"
    if [ "$(id -u)" -eq 0 ] && have apt-get; then
        say "set-up: installing ${packages[*]}"
        { apt-get update && DEBIAN_FRONTEND=noninteractive $command; } >.apt.log 2>&1 ||
            fail "could not install ${packages[*]}: $(grep -m1 '^E:' .apt.log || tail -n1 .apt.log)"
        rm -f .apt.log
        hash -r
        choose_python
        find_missing
        [ ${#missing[@]} -eq 0 ] && return
    fi
    local words
    words=$(printf ', %s' "${missing[@]}")
    fail "missing ${words:2}; run this as root, then try again: $command"
}

# Fashion-MNIST is worth a try, but nothing else waits for it: what needs it can download it, too.
offer_fashion_mnist() {
    [ -e "${M2VAE_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}" ] && return
    local command="apt-get install -y --no-install-recommends dataset-fashion-mnist"
    if [ "$(id -u)" -eq 0 ] && have apt-get; then
        say "set-up: installing dataset-fashion-mnist"
        if { apt-get update && DEBIAN_FRONTEND=noninteractive $command; } >.apt.log 2>&1; then
            rm -f .apt.log
            return
        fi
    fi
    say "set-up: going on without Fashion-MNIST; what needs it will download it, or as root: $command"
}

# --- .venv ----------------------------------------------------------------------------------------

ensure_space() {
    local free
    free=$(($(df -Pk "$root" | awk 'NR == 2 { print $4 }') / 1024))
    [ "$free" -ge $needed_megabytes ] ||
        fail "needs $needed_megabytes MB of free disk space in $root, there are $free MB"
}

# Shows how far pip is, in one line that overwrites itself; nothing where output is no terminal.
show_progress() {
    if [ -t 2 ]; then
        awk '/^ *(Collecting|Installing)/ { n++; printf "\r\033[K  %d %.66s", n, $0; fflush() }
            END { printf "\r\033[K" }' >&2
    else
        cat >/dev/null
    fi
}

explain_pip() {
    local log=$1
    if grep -qi 'no space left on device' "$log"; then
        fail "the disk ran full while installing into $venv; free some space and try again"
    elif grep -qiE 'NewConnectionError|ConnectTimeout|Read ?Timed ?out|name resolution|unreachable' \
        "$log"; then
        fail "no connection to the Python package index; try again when there is one" \
            "(what is fetched already is kept; log: $log)"
    fi
    fail "pip failed: $(grep -m1 '^ERROR:' "$log" || tail -n1 "$log") (log: $log)"
}

# Begins to install what pip is told to, as locked. It goes on until finish_wheels, or until set-up
# ends, however it ends: what runs in the background does not hear Ctrl-C.
pip_process=
trap '[ -z "$pip_process" ] || kill "$pip_process" 2>/dev/null || true' EXIT
begin_wheels() {
    # The disk that was checked is the one that is used: wheels are unpacked beside .venv.
    local temporary=${TMPDIR:-$venv/tmp}
    mkdir -p "$temporary"
    true >.pip.log # before anybody reads it
    # Python compiles what it imports when it does, which is little of all that is installed.
    TMPDIR=$temporary PYTHONPATH="" "$venv/bin/python" -m pip install --disable-pip-version-check \
        --no-input --no-compile "$@" >.pip.log 2>&1 &
    pip_process=$!
}

finish_wheels() {
    tail --pid="$pip_process" --sleep-interval=0.2 --lines=+1 --follow .pip.log | show_progress
    wait "$pip_process" || explain_pip "$root/.pip.log"
    pip_process=
    rm -rf .pip.log "$venv/tmp"
}

install_wheels() {
    begin_wheels "$@"
    finish_wheels
}

# What the build needs comes first; the rest is fetched while that is built.
install_and_build() {
    local ros=(-c requirements/lock.txt -r requirements/ros.txt -r "requirements/$ROS_WHEELS.txt")
    local wanted=(-r requirements/base.txt "${ros[@]}")
    [ "$part" = base ] || wanted+=(-r requirements/view.txt)
    [ "$part" != all ] || wanted+=(-r requirements/train.txt -r requirements/dev.txt)
    install_wheels "${ros[@]}" numpy rosbags
    "$venv/bin/python" tools/fit_wheels.py
    begin_wheels "${wanted[@]}"
    build_is_ready || build_package
    finish_wheels
    # Without what it asks for: see the file.
    [ "$part" != all ] || install_wheels --no-deps -r requirements/comparison.txt
}

ensure_environment() {
    environment_is_ready && return
    ensure_system
    [ "$part" != all ] || offer_fashion_mnist
    local wheels
    wheels=$(<"requirements/$ROS_WHEELS.txt")
    # An environment that was interrupted, moved, has lost its Python, or holds another ROS 2 is made
    # anew; what pip fetched is in pip's own cache.
    if [ -e "$venv" ] && { [ -e "$venv/incomplete" ] ||
        ! stamp_is "$venv/ros-wheels" "$wheels" ||
        ! "$venv/bin/python" -c 'import pip' 2>/dev/null ||
        ! head -n1 "$venv/bin/pip" | grep -qF "$venv/"; }; then
        rm -rf "$venv"
    fi
    if [ ! -e "$venv" ]; then
        ensure_space
        say "set-up: making ${venv##*/} with Python $python_version ($python)"
        mkdir "$venv"
        touch "$venv/incomplete"
        echo "$wheels" >"$venv/ros-wheels"
        "$python" -m venv "$venv" || fail "$python could not make a virtual environment in $venv"
    fi
    case $part in
    base) say "set-up: installing ROS 2 ${ROS_WHEELS^} and what robots run into ${venv##*/} (a minute)" ;;
    view) say "set-up: installing ROS 2 ${ROS_WHEELS^}, what robots run and the viewer" \
        "into ${venv##*/} (a minute)" ;;
    all) say "set-up: installing ROS 2 ${ROS_WHEELS^}, torch and what else training and tests need" \
        "into ${venv##*/} (minutes)" ;;
    esac
    touch "$venv/incomplete"
    install_and_build
    environment_digest >"$venv/set-up"
    [ "$part" = base ] || view_digest >"$venv/set-up-view"
    [ "$part" != all ] || all_digest >"$venv/set-up-all"
    rm "$venv/incomplete"
}

# --- install/ -------------------------------------------------------------------------------------

# Nodes start in a third of the time from bytecode, which Python keeps only where
# PYTHONDONTWRITEBYTECODE is not set, as it is in many containers.
compile_nodes() {
    (. tools/environment.sh && env -u PYTHONDONTWRITEBYTECODE python -c '
import cv2, rosbags.image, rosbags.typesys
import m2vae_ros.apps.demo, m2vae_ros.cli
from m2vae_ros.msg import LatentEmbedding
from m2vae_ros.nodes import amiro_sim_node, fusion_node, patrol_node, planner_node

type(LatentEmbedding()).__import_type_support__()' 2>/dev/null) ||
        say "set-up: what nodes import is not compiled, their first start takes longer"
}

build_package() {
    say "set-up: building messages and package into ${install##*/}/ (half a minute)"
    # Built from nothing: it is quick, and a message that was renamed leaves nothing behind.
    rm -rf "$build" "$install"
    # shellcheck source=tools/environment.sh
    (. tools/environment.sh && python tools/generate_interfaces.py "$build/interfaces" &&
        colcon build --merge-install --build-base "$build" \
            --install-base "$install" --base-paths . "$build/interfaces" \
            --event-handlers console_cohesion+ --cmake-args -DBUILD_TESTING=OFF -DPYTHON_ONLY=ON \
            "-DPython3_EXECUTABLE=$venv/bin/python") >.colcon.log 2>&1 || {
        say "$(grep -vE '^(Starting|Finished)' .colcon.log | tail -n 30)"
        fail "colcon could not build the package (log: $root/.colcon.log)"
    }
    rm .colcon.log
    build_digest >"$install/set-up"
}

if environment_is_ready && build_is_ready; then
    exit 0
fi
# One set-up at a time: a second one waits, and then finds everything done.
exec 9<tools/setup.sh
if ! flock -n 9; then
    say "set-up: waiting for another set-up of this checkout"
    flock 9
fi
ensure_environment
if ! build_is_ready; then
    ensure_system
    build_package
fi
compile_nodes
say "set-up: ready"
