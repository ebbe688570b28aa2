#!/bin/sh
# Installs the system packages that wheels cannot bring; says what to do where that is not permitted.
# Usage: system_packages.sh PYTHON
set -eu
python=${1:-python3}

"$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null || {
    echo "grasp_pose_net needs Python 3.10 to 3.13; '$python' is $("$python" --version 2>/dev/null || echo missing)." >&2
    echo "Give another one: make setup PYTHON=/path/to/python3.12" >&2
    exit 1
}
# Debian's own interpreter takes unversioned packages; others (python3.12 beside 3.11) are named after their version.
case $("$python" -c 'import sys; print(sys.executable)') in
    /usr/bin/python3) suffix=3 ;;
    *) suffix=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ;;
esac

PATH=$PATH:/usr/sbin:/sbin # ldconfig
missing=""
# open3d: USB, OpenGL, OpenMP; MuJoCo renders through Mesa's EGL without a display
for library in libusb-1.0.so.0:libusb-1.0-0 libGL.so.1:libgl1 libEGL.so.1:libegl1 libgomp.so.1:libgomp1 \
    libEGL_mesa.so.0:libegl-mesa0; do
    ldconfig -p | grep -qF "${library%%:*} " || missing="$missing ${library##*:}"
done
for program in cmake:cmake c++:g++ make:make; do
    command -v "${program%%:*}" >/dev/null || missing="$missing ${program##*:}"
done
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python$suffix-venv"
"$python" -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null ||
    missing="$missing python$suffix-dev"

[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "Please install what provides these Debian packages, then run make again:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif sudo -n true 2>/dev/null; then
    sudo="sudo"
else
    echo "System packages are missing. Please run this, then make again:" >&2
    echo "    sudo apt-get update && sudo apt-get install --no-install-recommends -y$missing" >&2
    exit 1
fi
echo "installing system packages:$missing"
$sudo apt-get update -qq
# shellcheck disable=SC2086  # words are meant to split
DEBIAN_FRONTEND=noninteractive $sudo apt-get install --no-install-recommends -y -qq $missing </dev/null >/dev/null
