# -o writes the lines to a file, which it does not replace unasked; --table is for people.
. "$TESTS/cli/help.sh"
need codec.safetensors
command="vq-eval -q -m $FIXTURES/codec.safetensors $FIXTURES/pictures $FIXTURES/pictures"
expect 0 $command -o result.json
[ ! -s out ] || fail "writes to standard output too"
cp result.json before
expect 2 $command -o result.json
grep -q -e --force err || fail "does not tell of --force: $(cat err)"
cmp result.json before || fail "wrote over it"
expect 0 $command -o result.json --force
cmp result.json before || fail "the same question has another answer"
expect 0 $command --table
head -n 1 out | grep -q '^metric  *value  *error  *real  *fake' || fail "$(cat out)"
tail -n 1 out | grep -q '^fid ' || fail "$(cat out)"
