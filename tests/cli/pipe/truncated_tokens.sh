# A cut token file is noticed wherever it is cut. (The index at its end is optional: readers do without.)
. "$TESTS/cli/help.sh"
need codec.safetensors tokens.vqt
size=$(wc -c <"$FIXTURES/tokens.vqt")
for keep in $((size / 2)) 100 10; do
  head -c $keep "$FIXTURES/tokens.vqt" >cut.vqt
  rm -rf pictures
  expect 1 vq-decode -m "$FIXTURES/codec.safetensors" -o pictures/ cut.vqt
  prefixed vq-decode
  expect 1 vq-train diffusion cut.vqt -o m.safetensors --size tiny --steps 1
  prefixed vq-train
  [ ! -e m.safetensors ] || fail "a model of half a data set"
done
