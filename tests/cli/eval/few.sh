# Few pictures give a number and a warning; one picture gives none.
. "$TESTS/cli/help.sh"
need codec.safetensors
expect 0 vq-eval -m "$FIXTURES/codec.safetensors" "$FIXTURES/pictures" "$FIXTURES/pictures"
prefixed vq-eval 1
grep -q 'under 2048' err || fail "does not warn: $(cat err)"
expect 1 vq-eval -m "$FIXTURES/codec.safetensors" "$FIXTURES/pictures" "$FIXTURES/pictures/p1.ppm"
prefixed vq-eval 1
grep -q 'p1.ppm: too few pictures: 1' err || fail "$(cat err)"
[ ! -s out ] || fail "prints a number all the same"
