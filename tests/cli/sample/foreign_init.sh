# Grids of another size, codebook or codec are no start for this model: both are named, nothing is written.
. "$TESTS/cli/help.sh"
need model.safetensors tokens.vqt
cp "$FIXTURES/model.safetensors" m.safetensors
codec=$(vq-info --text "$FIXTURES/tokens.vqt" | sed -n '2p' | cut -f 2 | cut -d : -f 3)
row="_ 1 2 3"
try() {  # SENTENCE SHAPE TOKENS
  printf 'a\t%s\t%s\n' "$2" "$3" >init
  expect 1 vq-sample -m m.safetensors --init init -o x.vqt
  head -n 1 err | grep -qxF "vq-sample: $1" || fail "says: $(cat err)"
  [ ! -e x.vqt ] || fail "left a file"
}
try "init: has grids of 2x2; m.safetensors makes 4x4" "2x2:16_:$codec" "$row"
try "init: has a codebook of 32; that of m.safetensors has 16" "4x4:32_:$codec" "$row $row $row $row"
try "init: was made with codec 0123456789abcdef; m.safetensors is codec $codec" \
  "4x4:16_:0123456789abcdef" "$row $row $row $row"
cp "$FIXTURES/pictures/p1.ppm" init
expect 1 vq-sample -m m.safetensors --init init -o x.vqt
prefixed vq-sample
grep -q 'init: is not a token grid' err || fail "says: $(cat err)"
