#!/bin/sh
# Holds the source tree to its own rules: the arrows between the rooms (the table in docs/architecture.md), the
# size of files and functions, first lines. Usage: check.sh SOURCE_TREE; prints every breach, fails if there is one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
breaches=$(
    find src include -name '*.[ch]' | sort | while read -r file; do
        awk -v file="$file" -f "$here/check.awk" docs/architecture.md "$file"
    done
)
[ -z "$breaches" ] || { printf '%s\n' "$breaches"; exit 1; }
