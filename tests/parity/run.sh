#!/bin/sh
# Compares us with a Python peer: sh tests/parity/run.sh FIXTURE_DIR [BINDIR]
#
#   FIXTURE_DIR  a fixture (it holds refs.json), or a folder of fixtures
#   BINDIR       where the programs are (default $VQ_BIN, build/bin); the test program lies beside it
#
# Prints the differences measured; the exit status is 0 when all are within their tolerances.
set -u

fail() {
  echo "parity: $*" >&2
  exit 2
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then fail "usage: sh tests/parity/run.sh FIXTURE_DIR [BINDIR]"; fi
fixtures=$(cd "$1" 2>/dev/null && pwd) || fail "$1: no such folder"
# The tests skip without a fixture; who names one wants them to run.
found=
for refs in "$fixtures"/refs.json "$fixtures"/*/refs.json; do
  if [ -e "$refs" ]; then found=yes; fi
done
[ -n "$found" ] || fail "$1: there is no refs.json, here or one folder down"

bin=${2:-${VQ_BIN:-$(dirname "$0")/../../build/bin}}
program=$bin/../tests/parity_test
[ -x "$program" ] || fail "$program is not built: sh tests/run.sh --build-only"

VQ_FIXTURES=$fixtures VQ_VERBOSE=1 exec "$program"
