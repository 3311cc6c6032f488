#!/bin/sh
#
# doctor.sh: the doctor's findings, with both kinds of guards.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

expect 0 doctor
for line in port switch guards 'fault source' 'deadline signal' 'signal stack' page kernel \
    scrubbing trimming CPU PAGEMAP_SCAN vm.max_map_count vm.overcommit RLIMIT_AS; do
    has "^$line "
done
has '<- the bound'
frames='[1-9]'
if grep -q '^port  *generic$' "$work/out"; then
    frames=0
fi
has "stack overflow .*contained: stack overflow, $frames"
has "write to address 0 .*contained: null pointer access, $frames"
has "endless loop .*contained: time limit passed, $frames"
has '^All is well'
export MOAT_GUARD=mprotect
expect 0 doctor
has '^guards .*PROT_NONE'
has '^All is well'
has 'vm.max_map_count: each guard'
unset MOAT_GUARD
export MOAT_PAGES=old
expect 0 doctor
has '^scrubbing .*/proc/self/pagemap'
has '^trimming .*madvise: neighbours'
export MOAT_PAGES=new
expect 2 doctor
finish
