# A set is at distance nought from itself, whichever way it comes, and is its own reconstruction.
. "$TESTS/cli/help.sh"
need codec.safetensors
cat "$FIXTURES"/pictures/p?.ppm "$FIXTURES"/pictures/p1?.ppm >stream.ppm
expect 0 sh -c 'vq-eval -q --metrics fid,recon -m "$FIXTURES/codec.safetensors" "$FIXTURES/pictures" - <stream.ppm'
grep -q '"metric":"recon","value":100.0,' out || fail "$(cat out)"
awk -F '[:,]' '/"fid"/ { exit !($4 < 1e-6) }' out || fail "$(cat out)"
