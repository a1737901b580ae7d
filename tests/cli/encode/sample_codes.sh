# Only a codec that scores its codes can draw them.
. "$TESTS/cli/help.sh"
need codec.safetensors
expect 2 vq-encode -m "$FIXTURES/codec.safetensors" --sample-codes -o drawn.vqt "$FIXTURES/pictures/captions.jsonl"
prefixed vq-encode
grep -q 'takes the nearest code' err || fail "$(cat err)"
[ ! -e drawn.vqt ] || fail "a file was written"
