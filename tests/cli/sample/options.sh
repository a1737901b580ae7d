# Every option of the sampling that is accepted makes a difference.
. "$TESTS/cli/help.sh"
need model.safetensors
sample() {
  vq-sample -m "$FIXTURES/model.safetensors" -q -j 1 -s 3 --text --no-history --force -p "disc 40 60 30" -n 8 "$@"
}
from() {  # OPTION...: the run that others are compared with
  base=$*
  expect 0 sample $base -o without
}
differs() {
  expect 0 sample $base "$@" -o with
  if cmp -s without with; then fail "with $base, $* changes nothing"; fi
}
from --steps 4
differs --spacing cosine
differs --guidance 3
differs --top-p 0.3
differs --top-k 2
differs --temperature 0.2
from --steps 4 --order purity
differs --purity-weight 20
differs --purity-norm max
from --steps 4 --order confidence
differs --confidence-noise 0
from --steps 8 --order remask --remask-strength 0.9
differs --remask-strength 0.01
differs --remask-rule rescale
differs --remask-rule confidence
from --steps 4 --guidance 9
differs --guidance-schedule linear
differs --guidance-schedule cosine
differs --guidance-interval 0,0.5
differs --guide posterior
differs --null zero
differs --negative "disc 200 180 220"
# What depends on the processor: AVX512_BF16, with which there is an engine to keep something.
if sample --steps 24 --dtype int8 --guidance 9 -n 64 -o without 2>/dev/null; then
  base='--steps 24 --dtype int8 --guidance 9 -n 64'
  differs --reuse 24
else
  expect 2 sample --steps 24 --dtype bf16 --reuse 6 -o with
fi
expect 2 sample --steps 24 --dtype fp32 --reuse 6 -o never
[ ! -e never ] || fail "a file was made for what cannot be"
