#!/bin/sh
# Guidance against quality: samples the same captions at several weights, and plots what becomes of them. See --help.
set -eu

usage() {
  cat <<'T'
usage: sh examples/sweep-guidance.sh [OUT]

Takes what examples/quickstart.sh left in OUT (default: out), and samples the same captions with the same noise at each
of the guidance weights WEIGHTS (default: "1 1.5 2 3 5 8"; 1 is no guidance). Leaves in OUT
  guidance.jsonl  a line for each weight and measure: "guidance", "captions" (of one or two objects), "metric", "value",
                  "error"; the metrics are
    fid         Frechet distance to the held-out pictures in the codec's features; lower is nearer
    caption     the share of pictures that show the shapes and colours of their captions, and nothing else
  guidance.png    both against guidance, as the paper's Figure 2 draws quality against guidance

COUNT=N samples N captions of one object and N of two (default 768). The distance depends on N: compare equal ones
only. Below 640 it has no standard error.
T
}

case ${1-} in -h | --help) usage; exit 0 ;; -*) echo "sweep-guidance: $1: unknown option; try --help" >&2; exit 2 ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$root/build/bin:$root/build/bin/examples:$PATH
out=${1:-out} count=${COUNT:-768} weights=${WEIGHTS:-1 1.5 2 3 5 8}
for file in codec.safetensors model.safetensors heldout/captions.jsonl; do
  [ -e "$out/$file" ] || { echo "sweep-guidance: $out/$file is missing; run examples/quickstart.sh first" >&2; exit 1; }
done
cd "$out"
rm -rf guidance guidance.jsonl.part
mkdir guidance
draw-shapes --captions-only --objects one --count "$count" --seed 7 >guidance/one.txt
draw-shapes --captions-only --objects two --count "$count" --seed 8 >guidance/two.txt

for weight in $weights; do
  echo "sweep-guidance: guidance $weight"
  for objects in one two; do
    vq-sample -m model.safetensors --batch 64 --guidance "$weight" guidance/$objects.txt |
      vq-decode -m codec.safetensors -o "guidance/$objects-$weight/"
    if [ $objects = one ]; then
      vq-eval --quiet --metrics fid -m codec.safetensors heldout/captions.jsonl "guidance/one-$weight/captions.jsonl"
    fi >guidance/lines
    vq-eval --metrics caption --checker 'check-shapes --each -' "guidance/$objects-$weight/captions.jsonl" >>guidance/lines
    sed 's/^{/{"guidance":'"$weight"',"captions":"'$objects'",/' guidance/lines >>guidance.jsonl.part
  done
done
mv guidance.jsonl.part guidance.jsonl
vq-eval --plot guidance.png --force -x guidance --panels metric --series captions guidance.jsonl
cat guidance.jsonl
echo "sweep-guidance: the plot is $out/guidance.png"
