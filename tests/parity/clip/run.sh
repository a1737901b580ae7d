#!/bin/sh
# What CLIP's own code and transformers make of captions, beside what we make: see ../README.md.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1

usage() {
  cat <<'E'
usage: sh tests/parity/clip/run.sh [BUILD]

Gets the peers from PyPI (openai-clip's tokenizer, ftfy, transformers, LibTorch's wheel) into BUILD/clip-venv,
lets them make references in BUILD/clip-reference, and compares. Both stay for the next run; remove
clip-reference to have it made anew.

  BUILD  the build tree (build)
E
}

fail() {
  echo "clip: $*" >&2
  exit 1
}

case ${1-} in
  -h | --help) usage; exit 0 ;;
  -*) echo "clip: $1: unknown option; try --help" >&2; exit 2 ;;
esac
build=$(cd "${1:-$here/../../../build}" 2>/dev/null && pwd) || fail "no build tree: sh tests/run.sh --build-only"
program=$build/tests/parity_test
[ -x "$program" ] || fail "$program is not built: sh tests/run.sh --build-only"

venv=$build/clip-venv
made=$build/clip-reference
log=$build/clip-setup.log

step() {
  echo "clip: $1" >&2
  shift
  "$@" >>"$log" 2>&1 </dev/null || {
    tail -n 5 "$log" | sed 's/^/clip:   /' >&2
    fail "failed: $*; the whole story is in $log"
  }
}
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

peers='ftfy==6.3.1 regex transformers==4.57.1 torch==2.11.0 numpy'
original='openai-clip==1.0.1' # its source alone: the package asks for more than its tokenizer needs
if [ "$(cat "$venv/complete" 2>/dev/null)" != "$peers $original" ]; then
  : >"$log"
  step "makes $venv" python3 -m venv "$venv"
  step "fetches transformers (5 GB with torch)" pip install --quiet $peers
  step "fetches $original" pip download --quiet --no-deps --dest "$venv/original" $original
  step "unpacks it" tar xzf "$venv/original/openai-clip-1.0.1.tar.gz" -C "$venv/original"
  echo "$peers $original" >"$venv/complete"
fi
package=$venv/original/openai-clip-1.0.1/clip

if [ ! -e "$made/complete" ]; then
  mkdir -p "$made/tower"
  cp "$package/bpe_simple_vocab_16e6.txt.gz" "$made/vocabulary.gz" || exit 1
  step "lets CLIP's tokenizer read captions (minutes)" "$venv/bin/python" "$here/ids.py" "$package" "$made/ids.jsonl"
  step "lets transformers make features" "$venv/bin/python" "$here/tower.py" "$made/tower"
  echo yes >"$made/complete"
fi
VQ_CLIP_REFERENCE=$made VQ_VERBOSE=1 exec "$program" --gtest_filter='ClipReference.*:*Caption*'
