#!/bin/sh
# Training steps against inference steps, and what the right posterior for a stride is worth. See --help.
set -eu

usage() {
  cat <<'T'
usage: sh examples/steps-table.sh [QUICKSTART] [OUT]

Trains one model for each number of diffusion steps T = 10, 25, 50, 100, 200 on the tokens that quickstart.sh left in
QUICKSTART (default: out), samples each with 10 to 200 inference steps, and prints tables like the paper's Table 2: per
cent of captions of one object that are obeyed, and the Frechet distance to held-out pictures in the codec's features.
Then, for the model with T = 100, the same at 10, 25 and 50 steps with short steps first (--spacing cosine), and with the
released code's posterior of one step at each stride (--stride-posterior one-step).

Models and samples are left in OUT (default: out-steps), the numbers in OUT/steps.jsonl. STEPS=N trains each model for N
steps of 64 pictures (default 1500), GRIDS=N samples N captions (default 256), TRAINED='10 25' takes only those T.
T
}

case ${1-} in -h | --help) usage; exit 0 ;; -*) echo "steps-table: $1: unknown option; try --help" >&2; exit 2 ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$root/build/bin:$root/build/bin/examples:$PATH
quickstart=${1:-out} out=${2:-out-steps}
trained=${TRAINED:-10 25 50 100 200} inferred='10 25 50 100 200'
if [ ! -e "$quickstart/train.vqt" ]; then
  echo "steps-table: $quickstart/train.vqt: run examples/quickstart.sh first, and say where it left its files" >&2
  exit 1
fi
quickstart=$(cd "$quickstart" && pwd)
mkdir -p "$out"
cd "$out"
rm -f steps.jsonl
draw-shapes --captions-only --objects one --count "${GRIDS:-256}" --seed 3 >captions.txt

for t in $trained; do
  echo "steps-table: training with T = $t" >&2
  vq-train diffusion "$quickstart/train.vqt" -o model$t.safetensors --force --size tiny --text-layers 1 --text-width 64 \
    --batch 64 --optimiser muon --learning-rate 2e-3 --rate-shape linear --auxiliary-weight 1 --timesteps "$t" \
    --steps "${STEPS:-1500}" --log model$t.log --quiet
done

# judge T STEPS RULE: one line of JSON. RULE is exact, cosine or one-step.
judge() {
  rm -rf samples
  case $3 in
    exact) how= ;;
    cosine) how='--spacing cosine' ;;
    one-step) how='--stride-posterior one-step' ;;
  esac
  vq-sample -m model$1.safetensors --steps "$2" $how --guidance 2 --top-p 0.9 --batch 128 --seed 1 \
    --quiet captions.txt | vq-decode -m "$quickstart/codec.safetensors" -o samples/ --quiet
  frechet=$(vq-eval --metrics fid -m "$quickstart/codec.safetensors" "$quickstart/heldout/captions.jsonl" samples \
    --quiet 2>/dev/null)
  echo "{\"timesteps\": $1, \"steps\": $2, \"rule\": \"$3\", \"captions\": $(check-shapes samples/captions.jsonl)\
, \"frechet\": $frechet}"
}

for t in $trained; do
  for steps in $inferred; do judge "$t" "$steps" exact >>steps.jsonl; done
done
case " $trained " in *" 100 "*)
  for rule in cosine one-step; do
    for steps in 10 25 50; do judge 100 $steps $rule >>steps.jsonl; done
  done ;;
esac

# cell T STEPS RULE MEMBER: a number of steps.jsonl.
cell() {
  grep -F "\"timesteps\": $1, \"steps\": $2, \"rule\": \"$3\"" steps.jsonl |
    case $4 in
      captions) sed 's/"two_objects".*//; s/.*"right_share":\([0-9.]*\).*/\1/' ;;
      frechet) sed 's/.*"frechet"//; s/.*"value":\([-0-9.e]*\).*/\1/' ;;
    esac
}

table() {  # MEMBER TITLE
  echo
  echo "$2"
  printf '%-22s' 'T \ inference steps'
  for steps in $inferred; do printf '%9s' "$steps"; done
  echo
  for t in $trained; do
    printf '%-22s' "$t"
    for steps in $inferred; do printf '%9.3f' "$(cell "$t" "$steps" exact "$1")"; done
    echo
  done
  case " $trained " in *" 100 "*) ;; *) return ;; esac
  for rule in cosine one-step; do
    printf '%-22s' "100, $rule"
    for steps in 10 25 50; do printf '%9.3f' "$(cell 100 $steps $rule "$1")"; done
    echo
  done
}
table captions "share of captions obeyed"
table frechet "Frechet distance in the codec's features"
