#!/bin/sh
# Speed beside peers, both sides in the same run. See --help and README.md here.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(cd "$here/../.." && pwd)

usage() {
  cat <<'E'
usage: sh tests/bench/run.sh [OPTION]... NAME...
       sh tests/bench/run.sh [OPTION]... tiny|base|large...

Runs the benchmarks named, ours and a peer by turns, and prints a table. Peers in Python are asked by tests/bench/NAME.py.

  step             a whole sampling step, network included, beside diffusers, for networks of three sizes;
                   with the names of sizes instead, for these
  whole            whole programs beside diffusers: loading, one picture from prompt to PNG, memory; of three sizes,
                   or those named besides (large: 12 GB of disk in FOLDER/bench-models, and as much memory)
  sampling         one sampling step outside the network, beside diffusers
  decode           tokens to pictures beside diffusers' VQModel, of the largest released codec's shape
  encode           vq-encode beside a loop of Pillow and PyTorch with the same codec
  kernels          the parts of a step and of a codec beside LibTorch's own functions; needs no Python
  format           writing and reading token grids, beside libzstd alone; needs no Python
  eval             FID's network and the distance itself, beside pytorch-fid (in FOLDER/parity-venv)

  --tokens FILE    for format: learned tokens to measure, too; may be given again

  --json FILE      also appends a line of JSON per case to FILE
  --steps N        for whole: steps of a picture
  --device DEVICE  for step: cpu or cuda, of both sides (cpu)
  --threads N      of either side; by default the processors
  --repeats N      of each case; by default what the benchmark says
  --build FOLDER   the build tree (build); the peer goes into FOLDER/bench-venv, from PyPI, at the first run
E
}

program=bench
fail() {
  echo "bench: $*" >&2
  exit 1
}

names= sizes= tokens= format= kernels= json= repeats= steps= device= build=$root/build threads=$(nproc 2>/dev/null || echo 1)
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --json | --threads | --repeats | --steps | --device | --build | --tokens)
      if [ $# -lt 2 ]; then echo "bench: $1 needs a value" >&2; exit 2; fi
      case $1 in
        --json) json=$2 ;;
        --threads) threads=$2 ;;
        --repeats) repeats=$2 ;;
        --steps) steps=$2 ;;
        --device) device=$2 ;;
        --tokens) tokens="$tokens $2" ;;
        --build) build=$2 ;;
      esac
      shift 2 ;;
    tiny | base | large) sizes="$sizes $1"; shift ;;
    *[!a-z_]* | sides | whole_peer) echo "bench: $1: no such option or benchmark; try --help" >&2; exit 2 ;;
    format) format=yes; shift ;;
    kernels) kernels=yes; shift ;;
    *)
      if [ ! -e "$here/$1.py" ]; then echo "bench: $1: no such benchmark; try --help" >&2; exit 2; fi
      names="$names $1"
      shift ;;
  esac
done
if [ -n "$sizes" ]; then
  case " $names " in *" step "* | *" whole "*) ;; *) names="$names step" ;; esac
fi
if [ -z "$names$format$kernels" ]; then usage >&2; exit 2; fi
case "${steps:+given} $names " in given*" whole "* | " "*) ;; *) echo "bench: --steps is for whole" >&2; exit 2 ;; esac
case "${device:+given} $names " in given*" step "* | " "*) ;; *) echo "bench: --device is for step" >&2; exit 2 ;; esac
build=$(cd "$build" 2>/dev/null && pwd) || fail "no build tree: sh tests/run.sh --build-only"
if [ -n "$format" ]; then
  [ -x "$build/tests/token_grid_bench" ] || fail "$build/tests holds no programs: sh tests/run.sh --build-only"
  "$build/tests/token_grid_bench" $tokens || fail "format failed"
fi
if [ -n "$kernels" ]; then
  [ -x "$build/tests/kernels_bench" ] || fail "$build/tests holds no programs: sh tests/run.sh --build-only"
  OMP_WAIT_POLICY=passive "$build/tests/kernels_bench" "$threads" || fail "kernels failed"
fi
if [ -z "$names" ]; then exit 0; fi
[ -x "$build/tests/sampling_step_bench" ] || fail "$build/tests holds no programs: sh tests/run.sh --build-only"

# This one has peers of its own, which tests/parity fetches.
case " $names " in *" eval "*)
  [ -x "$build/bin/vq-eval" ] || fail "$build/bin/vq-eval is not built"
  evaluation_python=$(sh "$here/../parity/peers-venv.sh" "$build") || exit 1
  OMP_WAIT_POLICY=passive OMP_NUM_THREADS=$threads "$evaluation_python" "$here/eval.py" --programs "$build/tests" \
    --threads "$threads" ${repeats:+--repeats "$repeats"} ${json:+--json "$json"} || fail "eval failed"
  names=$(echo " $names " | sed 's/ eval / /; s/^ *//; s/ *$//')
  [ -n "$names" ] || exit 0 ;;
esac

# ---- the peer

. "$here/peer.sh"

# ---- run

# Threads that wait for work must sleep: the other side is at work meanwhile.
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS="$threads" TRANSFORMERS_OFFLINE=1 HF_HUB_OFFLINE=1
for name in $names; do
  chosen=
  case $name in step | whole) chosen=$sizes ;; esac
  if [ "$name" = whole ]; then chosen="${steps:+--steps $steps} $chosen"; fi
  if [ "$name" = step ]; then chosen="${device:+--device $device} $chosen"; fi
  peer_python "$here/$name.py" --programs "$build/tests" --threads "$threads" \
    ${repeats:+--repeats "$repeats"} ${json:+--json "$json"} $chosen || fail "$name failed"
done
