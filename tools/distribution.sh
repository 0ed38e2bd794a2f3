# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Which ROS 2 this checkout runs, and in which of its folders; sourced by bash, with $root set.

export ROS_WHEELS=${ROS_WHEELS:-jazzy}
case $ROS_WHEELS in
jazzy) suffix= ;;
kilted) suffix=-kilted ;;
*)
    echo "set-up: ROS_WHEELS must be jazzy or kilted, not $ROS_WHEELS" >&2
    exit 1
    ;;
esac
venv=${root:?}/.venv$suffix
build=$root/build$suffix
install=$root/install$suffix
unset suffix
