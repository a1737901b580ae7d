# The schedule that is stored in a diffusion model, or in the state of a run that makes one.
. "$TESTS/cli/help.sh"
need model.safetensors codec.safetensors
vq-info --schedule "$FIXTURES/model.safetensors" --json >stored || fail "cannot read the model's schedule"
size=$(vq-info --schedule "$FIXTURES/model.safetensors" --field codebook_size)
vq-info --schedule linear -T 100 -K "$size" --json | cmp - stored || fail "is not what it was trained with"
vq-info --schedule "$FIXTURES/model.safetensors" | head -n 1 | grep -q "^linear: T = 100, K = $size$" ||
  fail "the page does not say which"
expect 1 vq-info --schedule "$FIXTURES/codec.safetensors"
prefixed vq-info
grep -q 'has no schedule' err || fail "does not say that a codec has none: $(cat err)"
expect 1 vq-info --schedule "$TESTS/cli/info/birds.txt"
prefixed vq-info
