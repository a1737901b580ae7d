#!/bin/sh
# What is lost when several tokens become final at once: counted on toys whose truth is known. See --help.
set -eu

usage() {
  cat <<'T'
usage: sh examples/joint-distribution.sh [OUT]

The paper's toy (section 3.2): half of the data is AA, half BB. A network that knows this perfectly still gives both
cells even chances while both are [mask], so drawing them in one step gives AB or BA half of the time. Prints, for each
order of sampling and number of steps, how many of 20,000 grids of a small trained model are wrong, beside what a
perfect network would give where that can be computed. Then the same on grids of 2 x 2, 4 x 4 and 8 x 8 whose columns
hold one token each, drawn by a fair coin: wrong is a grid with a column that changes its token.

Models and samples are left in OUT (default: out-joint). BUDGET=S trains each model for S seconds (default 60), that of 8 x 8 for twice as long.
T
}

case ${1-} in -h | --help) usage; exit 0 ;; -*) echo "joint-distribution: $1: unknown option; try --help" >&2; exit 2 ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$root/build/bin:$PATH
out=${1:-out-joint} budget=${BUDGET:-60}
mkdir -p "$out"
cd "$out"

# stripes SIZE COLUMNS COUNT: records whose columns hold one token each; COLUMNS 1 makes all of them equal. The codec
# is none that exists: nobody decodes these.
stripes() {
  awk -v rows="$1" -v columns="$2" -v alike="$3" -v count="$4" 'BEGIN {
    srand(1)
    for (i = 0; i < count; i++) {
      for (c = 0; c < columns; c++) token[c] = (c > 0 && alike) ? token[0] : int(rand() * 2)
      printf "%06d\t%dx%d:2:0123456789abcdef\t", i, rows, columns
      for (r = 0; r < rows; r++) for (c = 0; c < columns; c++) printf "%s%d", (r + c > 0 ? " " : ""), token[c]
      print "\t{}"
    }
  }'
}

# train NAME: on NAME.txt. The cosine schedule never replaces a token, so that the exact numbers are simple.
train() {
  vq-train diffusion "$1.txt" -o "$1.safetensors" --force --layers 2 --width 64 --heads 2 --batch 128 \
    --schedule cosine --auxiliary-weight 1 --learning-rate 2e-3 --warmup 50 --max-seconds "${2:-$budget}" --quiet
}

# wrong COLUMNS ALIKE: the share, in per cent, of grids on standard input that are none of the data's.
wrong() {
  awk -F '\t' -v columns="$1" -v alike="$2" '!/^#/ {
    n = split($3, token, " "); bad = 0
    for (i = 1; i <= n; i++) if (token[i] != token[alike ? 1 : (i - 1) % columns + 1]) bad = 1
    all += bad; grids++
  } END { printf "%.2f", 100 * all / grids }'
}

# ---- two cells, AA and BB

stripes 1 2 1 8192 >pair.txt
train pair

# A perfect network is wrong in half of the cases in which both cells leave [mask] in the same step. In the ancestral
# order each does so in the step from t to s with chance gamma_bar_t - gamma_bar_s, whatever the other does.
exact() {
  case $1 in
    ancestral)
      vq-info --schedule cosine -T 100 -K 2 --json | tr -d ' \n' | sed 's/.*"gamma_bar":\[\([^]]*\)\].*/\1/' |
        awk -F , -v steps="$2" 'function gamma_bar(t, low) {
            low = int(t); return low >= 100 ? $100 : (low > 0 ? $low : 0) * (low + 1 - t) + $(low + 1) * (t - low) }
          { for (i = 0; i < steps; i++) {
              leave = gamma_bar(100 * (1 - i / steps)) - gamma_bar(100 * (1 - (i + 1) / steps))
              both += (leave / $100) ^ 2
            }
            printf "%.2f", 50 * both }' ;;
    remask) printf "?" ;;
    *) if [ "$2" = 1 ]; then printf 50.00; else printf 0.00; fi ;;
  esac
}

echo "AA and BB: per cent of 20,000 grids that are AB or BA, sampled / exact for a perfect network"
steps_list='1 2 4 8 16 32'
printf '%-14s' steps
for steps in $steps_list; do printf '%16s' "$steps"; done
echo
for order in ancestral random purity confidence halton first-hitting remask; do
  printf '%-14s' $order
  for steps in $steps_list; do
    got=$(vq-sample -m pair.safetensors -n 20000 --batch 2000 --text --order $order --steps "$steps" --quiet | wrong 2 1)
    printf '%16s' "$got / $(exact $order "$steps")"
  done
  echo
done

# ---- stripes

for size in 2 4 8; do
  stripes $size $size 0 20000 >stripes$size.txt
  if [ $size = 8 ]; then train stripes8 $((2 * budget)); else train stripes$size; fi
  cells=$((size * size))
  echo
  echo "$size x $size stripes: per cent of 2,000 grids with a broken column, by tokens a step"
  printf '%-14s' "tokens a step"
  tokens=1
  while [ $tokens -le $cells ]; do printf '%8s' $tokens; tokens=$((tokens * 2)); done
  echo
  for order in ancestral random purity confidence halton first-hitting remask; do
    printf '%-14s' $order
    tokens=1
    while [ $tokens -le $cells ]; do
      case $order in
        ancestral | remask) how="--steps $((cells / tokens))" ;;  # that many on average
        *) how="--tokens-per-step $tokens" ;;
      esac
      printf '%8s' "$(vq-sample -m stripes$size.safetensors -n 2000 --batch 500 --text --order $order $how --quiet |
        wrong $size 0)"
      tokens=$((tokens * 2))
    done
    echo
  done
done
