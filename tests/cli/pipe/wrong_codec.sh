# Tokens of one codec are not pictures of another: both are named.
. "$TESTS/cli/help.sh"
need codec.safetensors tokens.vqt
expect 0 vq-train codec "$FIXTURES/pictures/captions.jsonl" -o other.safetensors --size tiny --steps 2 -b 4 \
  --image-size 32 --codes 16 -s 99 -q
expect 1 vq-decode -m other.safetensors -o pictures/ "$FIXTURES/tokens.vqt"
prefixed vq-decode
grep -q 'codec' err || fail "does not speak of the codec: $(cat err)"
if ls pictures 2>/dev/null | grep png; then fail "wrote pictures all the same"; fi
