#!/usr/bin/env bash
#
# packages.sh: builds the Debian packages, has lintian look at them, installs
# them in a clean root, runs debian/tests there, and removes them without a
# trace.
#
#   packages.sh ROOT
#
# Needs root, Debian 12 and its packages debhelper, lintian and mmdebstrap, and
# a mirror.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

source=$1
scratch=$(mktemp -d)
root=$scratch/root

cleanup() {
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$scratch"
}
trap cleanup EXIT

skip() {
    echo "skipped: install.packages: $1"
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip "needs root"
for tool in dh lintian mmdebstrap dpkg-buildpackage; do
    command -v "$tool" >/dev/null || skip "there is no $tool"
done
grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || skip "not Debian 12"
git -C "$source" rev-parse >/dev/null 2>&1 || skip "not a git repository"

quietly() {
    "$@" >"$scratch/log" 2>&1 || {
        echo "failed: $*"
        tail -n 60 "$scratch/log"
        exit 1
    }
}

echo "the packages are built"
mkdir "$scratch/moat"
(cd "$source" && git ls-files -z | xargs -0 cp --parents -t "$scratch/moat")
cd "$scratch/moat"
quietly dpkg-buildpackage -us -uc -b
cd "$scratch"
ls ./*.deb

echo "lintian has nothing to say"
lintian --fail-on error,warning ./*.changes

echo "a clean root"
mirror=$(find /etc/apt -name '*.list' -o -name '*.sources' | sort |
    xargs --no-run-if-empty cat |
    sed -nE -e 's/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p' \
        -e 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' |
    sed -n 1p)
[ -n "$mirror" ] || skip "apt's sources name no mirror"
mmdebstrap --variant=apt --include=cmake,g++,pkg-config,make \
    bookworm "$root" "$mirror" >"$scratch/log" 2>&1 || {
    tail -n 20 "$scratch/log"
    skip "no clean root can be made here"
}
inside() {
    chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
mount -t proc proc "$root/proc" || skip "/proc cannot be mounted"
# What the packages may leave behind.
of_moat() {
    (cd "$root" && find etc usr var/lib/dpkg/info | grep -i moat) || true
}

echo "they are installed, and the tests of the packages pass"
rm -f ./*-dbgsym_*.deb
mkdir "$root/debs"
cp ./*.deb "$source/debian/tests/consumers" "$root/debs/"
cp /etc/resolv.conf "$root/etc/"
inside apt-get update -qq >"$scratch/log" 2>&1 || skip "no mirror answers"
quietly inside sh -c \
    'apt-get install -y --no-install-recommends /debs/*.deb'
[ -n "$(of_moat)" ]
inside /debs/consumers

echo "they are removed without a trace"
quietly inside apt-get purge -y 'libmoat*' moat
[ -z "$(of_moat)" ] || {
    of_moat
    exit 1
}
