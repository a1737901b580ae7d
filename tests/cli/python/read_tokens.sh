# examples/read_tokens.py: tokens to numpy and back give the same lines, [mask], keys and JSON included.
. "$TESTS/cli/help.sh"
need_python numpy
convert() { "$python" -B "$TESTS/../examples/read_tokens.py" "$@"; }
for name in example json-of-every-kind packing-lsb-9-bits one-code-masked empty-stream unknown-codec history; do
  vq-info --text "$TESTS/golden/token-grid-v1/passed/$name.vqt" >text
  expect 0 convert "$TESTS/golden/token-grid-v1/passed/$name.vqt" grids.npz
  expect 0 convert grids.npz again.txt
  vq-info --text again.txt | cmp - text || fail "$name: not the same after the way through numpy"
  expect 0 convert grids.npz again.vqt
  vq-info --text again.vqt | cmp - text || fail "$name: not the same in binary"
done
expect 0 convert "$TESTS/golden/token-grid-v1/passed/example.vqt"
[ "$(head -n 1 out)" = "2 grids of 2x3 tokens, 512 codes" ] || fail "says: $(cat out)"
expect 1 convert no-such-file
printf 'a\t1x2:4:\t0 4\n' >bad
expect 1 convert bad
