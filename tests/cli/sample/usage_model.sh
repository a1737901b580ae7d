# What does not go with this model is said before anything is written.
. "$TESTS/cli/help.sh"
need model.safetensors tokens.vqt
m=$FIXTURES/model.safetensors
try() {  # SENTENCE OPTION...
  sentence=$1
  shift
  expect 2 vq-sample -o x.vqt "$@"
  prefixed vq-sample
  head -n 1 err | grep -qxF "vq-sample: $sentence" || fail "$*: says $(cat err)"
  [ ! -e x.vqt ] || fail "left a file"
}
# This model suggests no guidance.
for option in --guidance-schedule=cosine --guidance-interval=0,1 --guide=x0 --null=empty --negative=y; do
  try "${option%%=*}: does nothing with guidance 1" -m "$m" -p x $option
done
cp "$FIXTURES/tokens.vqt" whole.vqt
try "whole.vqt: has no [mask] to fill" -m "$m" --init whole.vqt

# One that listens to nothing.
expect 0 vq-train diffusion whole.vqt -o deaf.safetensors --condition none --size tiny --steps 1 -b 2 -q
try "--guidance: this model has no condition to be guided by" -m deaf.safetensors -g 3
try "--guidance: this model has no condition to be guided by" -m deaf.safetensors -g 0.5
try "deaf.safetensors: this model has no condition: it takes no prompts" -m deaf.safetensors -p x
try "--null: does nothing with guidance 1" -m deaf.safetensors --null zero
expect 0 vq-sample -m deaf.safetensors -n 3 --steps 2 --text -o three
[ "$(grep -vc '^#' three)" = 3 ] || fail "not three grids of no prompt"

# One whose noise replaces tokens: only the model's own chain can tell the wrong ones.
expect 0 vq-train diffusion whole.vqt -o replace.safetensors --schedule replace --size tiny --steps 1 -b 2 -q
try "--strength: this model's noise replaces tokens, and only --order ancestral mends that" \
  -m replace.safetensors --init whole.vqt --strength 0.5 --order halton
expect 0 vq-sample -m replace.safetensors --init whole.vqt --strength 0.5 --steps 4 --text -o varied
