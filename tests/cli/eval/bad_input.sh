# What cannot be judged, each in one sentence that names it, status 1.
. "$TESTS/cli/help.sh"
need codec.safetensors
mkdir empty mixed some
cp "$FIXTURES/pictures/p2.ppm" some
cp "$FIXTURES"/pictures/*.ppm mixed
printf 'P6\n32 32\n255\nxx' >mixed/broken.ppm
printf 'hello\n' >text
try() {
  named=$1
  shift
  expect 1 vq-eval -q -m "$FIXTURES/codec.safetensors" "$@"
  prefixed vq-eval
  grep -q "$named" err || fail "$*: does not name $named: $(cat err)"
  [ ! -s out ] || fail "$*: writes to standard output"
}
try '^vq-eval: empty: ' "$FIXTURES/pictures" empty
try '^vq-eval: text: ' text "$FIXTURES/pictures"
try 'broken.ppm' mixed "$FIXTURES/pictures"
try 'standard input' - "$FIXTURES/pictures"
try "'p1[0-9]*'" --metrics recon "$FIXTURES/pictures" some
expect 0 vq-eval -m "$FIXTURES/codec.safetensors" --max-bad 1 mixed "$FIXTURES/pictures"
grep -q 'broken.ppm' err || fail "does not name what it skipped: $(cat err)"
grep -q '"real":12,"fake":12' out || fail "$(cat out)"
