# --objective masked: trains, says so in the model, and leaves nothing in the schedule but masks; options
# that mean nothing to it are refused.
. "$TESTS/cli/help.sh"
need tokens.vqt
train() {
  vq-train diffusion "$FIXTURES/tokens.vqt" --size tiny --steps 3 -b 4 --dtype fp32 -j 1 -q --force \
    -o m.safetensors "$@"
}
expect 0 train --objective masked --timesteps-drawn stratified --log m.log --log-every 1
[ "$(wc -l <m.log)" = 3 ] || fail "the log has not one line a step"
for field in loss vlb x0 accuracy; do
  grep -q "\"$field\":" m.log || fail "the log has no $field"
done
vq-info --json m.safetensors | grep -q '"objective":"masked"' || fail "the model does not say how it was trained"
vq-info --schedule m.safetensors --field beta_bar | tr -d '[]' | tr ',' '\n' |
  awk '$1 != 0 { exit bad = 1 } END { exit bad || NR != 100 }' || fail "its schedule replaces tokens"
try() {
  word=$1
  shift
  expect 2 train --objective masked "$@"
  prefixed vq-train
  grep -q -e "$word" err || fail "$*: does not speak of $word: $(cat err)"
}
try --auxiliary-weight --auxiliary-weight 0.1
try --mask-weight --mask-weight 1
try --schedule --schedule replace
expect 0 train --mask-weight 2 --timesteps-drawn stratified
