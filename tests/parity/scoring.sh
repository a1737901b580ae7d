#!/bin/sh
# Measures of vq-eval beside the Python programs they come from. See --help.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(cd "$here/../.." && pwd)

usage() {
  cat <<'T'
usage: sh tests/parity/scoring.sh [--pictures N] [BUILD]

Features, fid, kid, is, prdc, giqa, clip, psnr, ssim and lpips of the same pictures and the same random weights, by vq-eval and
by pytorch-fid, clean-fid, torch-fidelity, prdc, lpips, transformers, scikit-learn and scikit-image. Prints the differences; the exit
status is 0 when all are within their tolerances.

  BUILD         the build tree (build); the peers go into BUILD/parity-venv, from PyPI, at the first run (3 GB)
  --pictures N  of each side; a multiple of 10 (20). Networks run on all of them six times
T
}

pictures=20 build=$root/build
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --pictures)
      case ${2-} in '' | *[!0-9]*) echo "parity: --pictures needs a number" >&2; exit 2 ;; esac
      pictures=$2
      shift 2 ;;
    -*) echo "parity: $1: no such option; try --help" >&2; exit 2 ;;
    *) build=$1; shift ;;
  esac
done
[ -x "$build/bin/vq-eval" ] || { echo "parity: $build/bin/vq-eval is not built: sh tests/run.sh --build-only" >&2; exit 2; }
build=$(cd "$build" && pwd)

python=$(sh "$here/peers-venv.sh" "$build") || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
export OMP_WAIT_POLICY=passive PYTHONDONTWRITEBYTECODE=1
export LD_LIBRARY_PATH="$(ls -d "$build"/*-venv/lib/python3*/site-packages/nvidia/*/lib 2>/dev/null | tr '\n' ':')${LD_LIBRARY_PATH-}"
VQ_PARITY_PICTURES=$pictures "$python" "$here/scoring/compare.py" "$build/bin" "$work"
