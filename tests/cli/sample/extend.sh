# --extend: grids larger than the model's, around grids that are there or from nothing.
. "$TESTS/cli/help.sh"
need model.safetensors tokens.vqt codec.safetensors
sample() { vq-sample -m "$FIXTURES/model.safetensors" -j 1 --steps 5 "$@"; }
tokens() { grep -v '^#' "$1" | cut -f 3; }

# The twelve grids lie in the middle of 8 x 10 cells: rows 2..5, columns 3..6.
expect 0 sample --init "$FIXTURES/tokens.vqt" --extend 8x10 --text -o wide
vq-info --text "$FIXTURES/tokens.vqt" >given
tokens wide | awk '{ s = ""; for (r = 2; r < 6; r++) for (c = 3; c < 7; c++) s = s " " $(r * 10 + c + 1); print substr(s, 2) }' >middle
tokens given | cmp - middle || fail "changed what was given"
tokens wide | awk 'NF != 80 { exit 1 }' || fail "not 80 tokens a grid"
if tokens wide | grep _; then fail "left a [mask]"; fi
head -n 1 wide | grep -q '"height":8,"width":10,' || fail "the header says another size"

# The same bytes for every batch, and from every order.
for order in ancestral halton remask; do
  expect 0 sample --init "$FIXTURES/tokens.vqt" --extend 5x9+1+0 --overlap 1 --order $order --no-history -b 1 -o one.vqt --force
  expect 0 sample --init "$FIXTURES/tokens.vqt" --extend 5x9+1+0 --overlap 1 --order $order --no-history -b 5 -o five.vqt --force
  cmp one.vqt five.vqt || fail "$order: the bytes depend on the batch"
done

# From nothing, and into a picture: the decoder takes any size.
expect 0 sample -p "disc 40 60 30" -n 2 --extend 4x12 -o strip.vqt
expect 0 vq-decode -m "$FIXTURES/codec.safetensors" strip.vqt -o strips/
[ "$(ls strips | grep -c png)" = 2 ] || fail "no pictures"

# --trace shows the canvas, whatever window is at work.
expect 0 sample -p "disc 40 60 30" --extend 4x12 --order random --trace trace.vqt -o last.vqt
vq-info --text trace.vqt | tail -n 1 | cut -f 3 >shown
vq-info --text last.vqt | cut -f 3 | grep -v '^#' | cmp - shown || fail "the last of the trace is not the result"

wrong() {  # STATUS MESSAGE OPTION...
  status=$1 message=$2
  shift 2
  expect "$status" sample "$@" -o never.vqt
  grep -qF -e "$message" err || fail "says: $(cat err)"
  [ ! -e never.vqt ] || fail "wrote something"
}
wrong 2 "--extend: '8' is not HxW or HxW+ROW+COLUMN" -p a --extend 8
wrong 2 "--extend: 3 x 9 is smaller than the model's 4 x 4" -p a --extend 3x9
wrong 2 "--extend: +ROW+COLUMN places --init: give it too" -p a --extend 8x8+1+1
wrong 2 "--extend: 8x8+5+0 has no room for --init's 4x4" --init "$FIXTURES/tokens.vqt" --extend 8x8+5+0
wrong 2 "--overlap: must be below the model's 4" -p a --extend 8x8 --overlap 4
wrong 2 "--overlap: needs --extend" -p a --overlap 2
wrong 2 "--strength: does not go with --extend" --init "$FIXTURES/tokens.vqt" --extend 8x8 --strength 0.5
