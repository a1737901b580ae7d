#!/bin/sh
# May the model's certainty be trusted? Its purity against how often it is right, on pictures it never saw. See --help.
set -eu

usage() {
  cat <<'T'
usage: sh examples/purity.sh [OUT]

Takes what examples/quickstart.sh left in OUT (default: out), encodes the held-out pictures and noises their tokens at
times 20, 50 and 80 of 100. At every masked position the purity is the largest probability that the model gives to a
token; it is right where that token is the true one. Leaves in OUT
  heldout.vqt   the tokens
  purity.jsonl  for each time the correlation of the two, and in bins of purity how often the model was right
  purity.png    accuracy against purity, as in the paper's Figure 1; on the dotted line a model is as often right as
                it says
T
}

case ${1-} in -h | --help) usage; exit 0 ;; -*) echo "purity: $1: unknown option; try --help" >&2; exit 2 ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$root/build/bin:$PATH
out=${1:-out}
for file in codec.safetensors model.safetensors heldout/captions.jsonl; do
  [ -e "$out/$file" ] || { echo "purity: $out/$file is missing; run examples/quickstart.sh first" >&2; exit 1; }
done
cd "$out"

vq-encode -m codec.safetensors heldout/captions.jsonl -o heldout.vqt --force
vq-eval --metrics purity -m model.safetensors heldout.vqt -o purity.jsonl --force
vq-eval --plot purity.png --force purity.jsonl
cat purity.jsonl
echo "purity: the plot is $out/purity.png"
