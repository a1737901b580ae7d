#!/bin/sh
# There and back: sh tests/parity/export.sh FIXTURE [BUILD]
#
# Imports the fixture's pipeline with vq-import, exports it again, and asks diffusers whether the tensors are the same
# bytes and the pictures the same. FIXTURE is one of diffusers'; BUILD as for make.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1

program=parity
fail() {
  echo "parity: $*" >&2
  exit 1
}

[ -e "${1-}/refs.json" ] || { echo "usage: sh tests/parity/export.sh FIXTURE [BUILD]" >&2; exit 2; }
fixture=$(cd "$1" && pwd)
build=$(cd "${2:-$here/../../build}" 2>/dev/null && pwd) || fail "no build tree: sh tests/run.sh --build-only"
. "$here/../bench/peer.sh"

place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
"$build/bin/vq-import" -q "$fixture/pipeline" -o "$place/model.safetensors" --codec-out "$place/codec.safetensors" ||
  fail "vq-import failed"
"$build/bin/vq-import" -q --to diffusers "$place/model.safetensors" --codec "$place/codec.safetensors" -o "$place/back" ||
  fail "vq-import --to diffusers failed"
export TRANSFORMERS_OFFLINE=1 HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
peer_python -W ignore "$here/check_export.py" "$place/back" "$fixture"
