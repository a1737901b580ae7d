#!/bin/sh
# There and back in the original's layout: sh tests/parity/export_microsoft.sh FIXTURE [BUILD]
#
# Imports every checkpoint of the fixture with vq-import, exports it again, and asks PyTorch (weights_only=True) whether
# the names are those of the original, the weights the same, and what the networks give what it was. FIXTURE is what
# make.sh wrote as "microsoft"; BUILD as for make.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1

program=parity
fail() {
  echo "parity: $*" >&2
  exit 1
}

[ -e "${1-}/microsoft.json" ] || { echo "usage: sh tests/parity/export_microsoft.sh FIXTURE [BUILD]" >&2; exit 2; }
fixture=$(cd "$1" && pwd)
build=$(cd "${2:-$here/../../build}" 2>/dev/null && pwd) || fail "no build tree: sh tests/run.sh --build-only"
. "$here/../bench/peer.sh"

place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
export OMP_NUM_THREADS=1
peer_python -W ignore "$here/check_microsoft.py" "$fixture" "$build/bin/vq-import" "$place"
