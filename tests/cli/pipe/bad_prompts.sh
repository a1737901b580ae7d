# What cannot be sampled is said in one sentence, before or without a file.
. "$TESTS/cli/help.sh"
need model.safetensors
m=$FIXTURES/model.safetensors
echo '{"caption": 5}' >p
expect 1 vq-sample -m "$m" -o x.vqt p
prefixed vq-sample
grep -q 'p:1' err || fail "does not name the line: $(cat err)"
expect 2 vq-sample -m "$m" -o x.vqt -p " "
expect 2 vq-sample -m "$m" -o x.vqt -p x --shard 3/2
expect 2 vq-sample -m "$m" -o x.vqt -p x --guidance -1
expect 2 vq-sample -m "$m" -o x.vqt -p x --steps 2.5
expect 1 vq-sample -m "$m" -o x.vqt no-such-file
[ ! -e x.vqt ] || fail "left a file"
