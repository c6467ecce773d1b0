#!/bin/sh
# Finds a Python of 3.12 or newer, installs Debian's where there is none, and hands over to house.py. POSIX sh; asks nothing.
set -eu
SITHS_STARTED=${SITHS_STARTED:-$(date +%s.%N)}
export SITHS_STARTED
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$(dirname -- "$here")")

find_python() {
    for candidate in /usr/bin/python3.13 python3.13 /usr/bin/python3 /usr/bin/python3.12 python3.12 python3.14 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then
            "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
            return 0
        fi
    done
    return 1
}

missing_packages() {
    while read -r package command; do
        case $package in '' | '#'*) continue ;; esac
        if [ -n "$command" ] && command -v "$command" >/dev/null 2>&1; then continue; fi
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done <"$here/apt-packages.txt"
}

if ! python=$(find_python); then
    packages=$(missing_packages)
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif sudo -n true >/dev/null 2>&1; then
        as_root='sudo -n'
    else
        printf 'Some Debian packages are missing. Install them, then run the same command again:\n' >&2
        printf '  apt-get install -y --no-install-recommends %s\n' "${packages% }" >&2
        exit 2
    fi
    printf 'No Python of 3.12 or newer: installing Debian packages\n'
    mkdir -p "$root/var/log"
    # The package list and the two prefixes are words by design.
    # shellcheck disable=SC2086
    { $as_root apt-get -q update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 $packages; } >"$root/var/log/setup.log" 2>&1 </dev/null || {
        tail -n 30 "$root/var/log/setup.log" >&2
        exit 1
    }
    python=$(find_python) || { printf 'Python 3.12 or newer is needed, and Debian brought none.\n' >&2; exit 1; }
fi

cd -- "$root"
exec "$python" -m siths_portal.dev.house "$@"
