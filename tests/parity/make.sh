#!/bin/sh
# Makes fixtures with a Python peer: sh tests/parity/make.sh OUT [BUILD]
#
#   OUT    gets one folder a fixture: tiny and wide (pipelines of diffusers), microsoft (checkpoints), towers (of CLIP)
#   BUILD  the build tree (build); the peer goes into BUILD/bench-venv, from PyPI, at the first run
#
# CLIP's vocabulary is no part of the repository: VQ_MERGES names a merges.txt of it. Without it the pipelines have a
# vocabulary of bytes alone, and there are no checkpoint with captions and no towers.
# Then: sh tests/parity/run.sh OUT
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1

program=parity
fail() {
  echo "parity: $*" >&2
  exit 1
}

case ${1-} in
  '' | -*) echo "usage: sh tests/parity/make.sh OUT [BUILD]" >&2; exit 2 ;;
esac
mkdir -p "$1" && out=$(cd "$1" && pwd) || fail "$1: cannot be made"
build=$(cd "${2:-$here/../../build}" 2>/dev/null && pwd) || fail "no build tree: sh tests/run.sh --build-only"
. "$here/../bench/peer.sh"

export TRANSFORMERS_OFFLINE=1 HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
merges=${VQ_MERGES:+--merges "$VQ_MERGES"}
peer_python "$here/make_microsoft.py" "$out/microsoft" $merges || fail "make_microsoft.py failed"
peer_python "$here/make_diffusers.py" "$out/tiny" --seed 7 $merges || fail "make_diffusers.py failed"
peer_python "$here/make_diffusers.py" "$out/wide" --seed 8 --heads 3 --head-dim 24 --layers 3 --grid 6 --codes 50 \
  --channels 8,8,24 --bin --old-names --no-null $merges || fail "make_diffusers.py failed"
if [ -n "${VQ_MERGES-}" ]; then
  peer_python -W ignore "$here/make_towers.py" "$out/towers" $merges || fail "make_towers.py failed"
fi
