# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The environment of everything that runs in this checkout; sourced by bash, with $root set.
# Whatever already stands for a choice (MUJOCO_GL, FASTDDS_DEFAULT_PROFILES_FILE, ...) is kept.

# shellcheck source=tools/distribution.sh
. "${root:?}/tools/distribution.sh"
site=$(echo "$venv"/lib/python3.*/site-packages)
# Libraries and Python modules of a ROS 2 that was sourced before are another build's.
if [ "${AMENT_PREFIX_PATH:-$install:$venv}" != "$install:$venv" ]; then
    unset LD_LIBRARY_PATH PYTHONPATH RMW_IMPLEMENTATION
fi
export VIRTUAL_ENV=$venv
export PATH=$install/bin:$venv/bin:$PATH
# The wheels and the package built here are two ament prefixes, this one first.
export AMENT_PREFIX_PATH=$install:$venv
export CMAKE_PREFIX_PATH=$AMENT_PREFIX_PATH
# Code comes from the checkout, so that an edit counts at once; generated messages from where they
# were built.
export PYTHONPATH=$root:$install/${site#"$venv"/}${PYTHONPATH:+:$PYTHONPATH}
libraries=$install/lib:$venv/lib
for folder in "$site"/ros_*.libs; do
    [ -d "$folder" ] && libraries+=:$folder
done
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# The wheels restart every Python once to set LD_LIBRARY_PATH; it is set.
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DISTRO=$ROS_WHEELS ROS_VERSION=2 ROS_PYTHON_VERSION=3
export RMW_IMPLEMENTATION=${RMW_IMPLEMENTATION:-rmw_fastrtps_cpp}
if [ -f "$root/config/fastdds.xml" ]; then
    # Each asks by a name of its own: Fast DDS 2 (Jazzy), Fast DDS 3, which warns of the older one.
    profile=${FASTDDS_DEFAULT_PROFILES_FILE:-${FASTRTPS_DEFAULT_PROFILES_FILE:-}}
    profile=${profile:-$root/config/fastdds.xml}
    unset FASTDDS_DEFAULT_PROFILES_FILE FASTRTPS_DEFAULT_PROFILES_FILE
    case $ROS_WHEELS in
    jazzy) export FASTRTPS_DEFAULT_PROFILES_FILE=$profile ;;
    *) export FASTDDS_DEFAULT_PROFILES_FILE=$profile ;;
    esac
fi
# Rendering in software needs no display and no graphics card.
export MUJOCO_GL=${MUJOCO_GL:-osmesa}
case $MUJOCO_GL in
osmesa | egl) export PYOPENGL_PLATFORM=${PYOPENGL_PLATFORM:-$MUJOCO_GL} ;;
esac
# Threads of torch sleep while they wait for each other, as in the m2vae command.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
unset folder libraries profile site
