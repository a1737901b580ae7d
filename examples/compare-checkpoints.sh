#!/bin/sh
# Which of several models makes the better pictures: the same captions, noise and real pictures for all. See --help.
set -eu

usage() {
  cat <<'T'
usage: sh examples/compare-checkpoints.sh -m CODEC -r REAL [-p PROMPTS] [-o OUT] MODEL...

Samples COUNT pictures (default 2048) with each diffusion MODEL, the same captions and the same noise for all, and
measures how far they are from the pictures in REAL (a folder or list). Leaves in OUT (default: compared)
  real.npz             statistics of REAL, which are made once and used again by the next run
  checkpoints.jsonl    a line for each model and measure: "model", "number", "metric", "value", "error"
  checkpoints.png      the measures against the models' numbers, in the order they were given

  -p PROMPTS  captions or labels as vq-sample takes them, one a line; they are used COUNT times in all. Without them
              the models are asked for nothing
  NETWORK=FILE takes features from this network instead of the codec; METRICS=LIST are the measures (default: fid,kid)

Distances depend on COUNT: compare equal ones only. Two models differ when their values do by more than a few errors.
T
}

fail() {
  echo "compare-checkpoints: $*" >&2
  exit 2
}
codec= real= prompts= out=compared
case ${1-} in -h | --help) usage; exit 0 ;; esac
while getopts m:r:p:o: letter 2>/dev/null; do
  case $letter in
    m) codec=$OPTARG ;;
    r) real=$OPTARG ;;
    p) prompts=$OPTARG ;;
    o) out=$OPTARG ;;
    *) fail "unknown option; try --help" ;;
  esac
done
shift $((OPTIND - 1))
[ -n "$codec" ] && [ -n "$real" ] && [ $# -gt 0 ] || fail "CODEC, REAL and a MODEL are needed; try --help"
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$root/build/bin:$PATH
count=${COUNT:-2048} network=${NETWORK:-$codec} metrics=${METRICS:-fid,kid}
mkdir -p "$out"
rm -f "$out/checkpoints.jsonl.part"
[ -e "$out/real.npz" ] || vq-eval --network "$network" --save-stats "$out/real.npz" "$real"

# COUNT lines in all: as many rounds through the prompts as that takes.
if [ -n "$prompts" ]; then
  awk -v count="$count" '{ line[NR] = $0 } END { for (i = 0; i < count && NR; i++) print line[i % NR + 1] }' \
    "$prompts" >"$out/prompts.txt"
fi
number=0
for model; do
  number=$((number + 1))
  echo "compare-checkpoints: $model"
  if [ -n "$prompts" ]; then
    vq-sample -m "$model" --seed 1 "$out/prompts.txt"
  else
    vq-sample -m "$model" --seed 1 -n "$count"
  fi | vq-eval --quiet --metrics "$metrics" -m "$codec" --network "$network" "$out/real.npz" - |
    sed "s|^{|{\"model\":\"$model\",\"number\":$number,|" >>"$out/checkpoints.jsonl.part"
done
mv "$out/checkpoints.jsonl.part" "$out/checkpoints.jsonl"
vq-eval --plot "$out/checkpoints.png" --force -x number --panels metric "$out/checkpoints.jsonl"
cat "$out/checkpoints.jsonl"
echo "compare-checkpoints: the plot is $out/checkpoints.png"
