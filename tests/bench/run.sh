#!/bin/sh
# Speed beside peers, both sides in the same run. See --help and README.md here.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(cd "$here/../.." && pwd)

usage() {
  cat <<'E'
usage: sh tests/bench/run.sh [OPTION]... NAME...

Runs the benchmarks named, each tests/bench/NAME.py: ours and a Python peer by turns, and prints a table.

  encode           vq-encode beside a loop of Pillow and PyTorch with the same codec
  sampling         one sampling step outside the network, beside diffusers

  --json FILE      also appends a line of JSON per case to FILE
  --threads N      of either side; by default the processors
  --repeats N      of each case; by default what the benchmark says
  --build FOLDER   the build tree (build); the peer goes into FOLDER/bench-venv, from PyPI, at the first run
E
}

fail() {
  echo "bench: $*" >&2
  exit 1
}

names= json= repeats= build=$root/build threads=$(nproc 2>/dev/null || echo 1)
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --json | --threads | --repeats | --build)
      if [ $# -lt 2 ]; then echo "bench: $1 needs a value" >&2; exit 2; fi
      case $1 in
        --json) json=$2 ;;
        --threads) threads=$2 ;;
        --repeats) repeats=$2 ;;
        --build) build=$2 ;;
      esac
      shift 2 ;;
    *[!a-z_]* | sides) echo "bench: $1: no such option or benchmark; try --help" >&2; exit 2 ;;
    *)
      if [ ! -e "$here/$1.py" ]; then echo "bench: $1: no such benchmark; try --help" >&2; exit 2; fi
      names="$names $1"
      shift ;;
  esac
done
if [ -z "$names" ]; then usage >&2; exit 2; fi
build=$(cd "$build" 2>/dev/null && pwd) || fail "no build tree: sh tests/run.sh --build-only"
[ -x "$build/tests/sampling_step_bench" ] || fail "$build/tests holds no programs: sh tests/run.sh --build-only"

# ---- the peer

diffusers='diffusers==0.35.2' # later ones may drop VQ-Diffusion, which is deprecated
transformers='transformers==4.57.1'
torch='torch==2.11.0'
pillow='pillow==13.0.0'
venv=$build/bench-venv
log=$build/bench-setup.log
python=$venv/bin/python

step() {
  echo "bench: $1" >&2
  shift
  "$@" >>"$log" 2>&1 </dev/null || {
    tail -n 5 "$log" | sed 's/^/bench:   /' >&2
    fail "failed: $*; the whole story is in $log"
  }
}
pip() { "$python" -m pip install --quiet --only-binary=:all: --disable-pip-version-check "$@"; }

# The wheel that our side is linked to serves the peer as well where Python can load it: then both run the same library.
# Its CUDA libraries are needed to load it, not to run anything.
libtorch=$(ldd "$build/tests/sampling_step_bench" | sed -n 's|.*=> \(.*\)/torch/lib/libtorch_cpu\.so .*|\1|p')
metadata=$(ls "$libtorch"/torch-*.dist-info/METADATA 2>/dev/null)
peer_python() {
  LD_LIBRARY_PATH=$(ls -d "$venv"/lib/python3*/site-packages/nvidia/*/lib 2>/dev/null | tr '\n' ':')${LD_LIBRARY_PATH-} \
    "$python" "$@"
}

if [ "$(cat "$venv/complete" 2>/dev/null)" != "$diffusers $transformers $pillow $torch $libtorch" ]; then
  : >"$log"
  rm -rf "$venv"
  base=/usr/bin/python3 # whose version the wheel was chosen for
  "$base" -c 'import ensurepip, venv' 2>/dev/null || base=python3
  "$base" -c 'import ensurepip, venv' 2>/dev/null || fail "Python has no venv (Debian: apt-get install python3-venv)"
  step "makes $venv" "$base" -m venv "$venv"
  step "fetches $diffusers, $pillow" pip "$diffusers" "$transformers" "$pillow" numpy
  if [ -n "$metadata" ]; then
    for folder in "$venv"/lib/python3*/site-packages; do echo "$libtorch" >"$folder/unpacked_torch.pth"; done
    own=$(sed -n 's/^Requires-Dist: \([^; ]*\)$/\1/p' "$metadata")
    step "fetches what torch needs of Python" pip $own
    if ! peer_python -c 'import torch' >>"$log" 2>&1; then
      cuda=$(sed -n 's/^Requires-Dist: \(\(nvidia-\|cuda-toolkit\)[^; ]*\).*/\1/p' "$metadata")
      step "fetches the CUDA libraries that torch loads (2 GB)" pip $cuda
    fi
  fi
  if ! peer_python -c 'import torch' >>"$log" 2>&1; then
    rm -f "$venv"/lib/python3*/site-packages/unpacked_torch.pth
    step "fetches $torch (3 GB)" pip "$torch"
  fi
  step "loads it" peer_python -c 'import diffusers, transformers, torch'
  echo "$diffusers $transformers $pillow $torch $libtorch" >"$venv/complete"
fi

# ---- run

# Threads that wait for work must sleep: the other side is at work meanwhile.
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS="$threads" TRANSFORMERS_OFFLINE=1 HF_HUB_OFFLINE=1
for name in $names; do
  peer_python "$here/$name.py" --programs "$build/tests" --threads "$threads" \
    ${repeats:+--repeats "$repeats"} ${json:+--json "$json"} || fail "$name failed"
done
