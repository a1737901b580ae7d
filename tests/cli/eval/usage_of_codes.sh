# How many codes a set of token grids uses.
. "$TESTS/cli/help.sh"
need tokens.vqt
expect 0 vq-eval --metrics usage "$FIXTURES/tokens.vqt"
grep -q '"metric":"usage","value":[0-9.]*,"records":12,' out || fail "$(cat out)"
used=$(sed 's/.*"codes_used":\([0-9]*\).*/\1/' out)
codes=$(sed 's/.*"codes":\([0-9]*\),.*/\1/' out)
[ "$used" -ge 1 ] && [ "$used" -le "$codes" ] || fail "uses $used of $codes codes"
expect 0 sh -c 'cat "$FIXTURES/tokens.vqt" "$FIXTURES/tokens.vqt" | vq-eval --metrics usage -'
grep -q '"records":24,' out || fail "$(cat out)"
expect 2 vq-eval --metrics usage,fid "$FIXTURES/tokens.vqt"
expect 2 vq-eval --metrics usage -m "$FIXTURES/codec.safetensors" "$FIXTURES/tokens.vqt"
expect 1 vq-eval --metrics usage "$FIXTURES/pictures/p1.ppm"
