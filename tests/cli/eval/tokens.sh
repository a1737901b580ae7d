# Token grids are judged as the pictures they stand for: the same numbers as after vq-decode.
. "$TESTS/cli/help.sh"
need codec.safetensors tokens.vqt
expect 0 vq-decode -m "$FIXTURES/codec.safetensors" -o decoded "$FIXTURES/tokens.vqt"
expect 0 vq-eval -q --metrics fid -m "$FIXTURES/codec.safetensors" "$FIXTURES/pictures" decoded
mv out after
expect 0 vq-eval -q --metrics fid -m "$FIXTURES/codec.safetensors" "$FIXTURES/pictures" "$FIXTURES/tokens.vqt"
# The folder is read in another order, so the last digits may differ.
value() { sed 's/.*"value":\([^,]*\),.*/\1/' "$1"; }
awk -v a="$(value after)" -v b="$(value out)" 'BEGIN { exit !(a > 0 && (a - b) / a < 1e-6 && (b - a) / a < 1e-6) }' ||
  fail "$(cat after out)"
