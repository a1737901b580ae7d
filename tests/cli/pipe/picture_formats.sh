# What vq-decode writes, vq-encode reads: PPM and PNG streams, tar shards, folders; all with the same pixels.
. "$TESTS/cli/help.sh"
need codec.safetensors tokens.vqt
codec=$FIXTURES/codec.safetensors
tokens=$FIXTURES/tokens.vqt
decode() { expect 0 vq-decode -m "$codec" "$@" "$tokens"; }
again() { vq-encode -m "$codec" -o - "$@" | vq-info --text - | grep -v '^#'; }

decode -o - && cp out ppm
decode -o - --format png && cp out png
decode -o - --format tar && cp out t.tar
decode -o s.tar --per-shard 5
decode -o folder/
again <ppm | cut -f 3 >wanted
[ "$(wc -l <wanted)" = 12 ] || fail "not twelve pictures"
again <png | cut -f 3 | cmp - wanted || fail "the PNG stream has other pixels"
again <t.tar | cut -f 3 | cmp - wanted || fail "the tar stream has other pixels"
again 's-{000000..000002}.tar' | cut -f 3 | cmp - wanted || fail "the shards have other pixels"
again folder/captions.jsonl | cut -f 3 | cmp - wanted || fail "the folder has other pixels"

# Keys and captions survive where there is room for them.
said() { cut -f 1,4; }
vq-info --text "$tokens" | grep -v '^#' | said >before
again <t.tar | said | cmp - before || fail "a tar stream loses what was said"
again folder/captions.jsonl | said | cmp - before || fail "a folder loses what was said"

# The recipe of a PNG.
vq-info --json folder/p1.png >recipe || vq-info folder/p1.png >recipe
for word in vq:key vq:caption '"history"' vq-encode vq-decode 'disc 40 60 30'; do
  grep -q -e "$word" recipe || fail "no $word in $(cat recipe)"
done

expect 2 vq-decode -m "$codec" --per-shard 5 -o there/ "$tokens"
expect 2 vq-decode -m "$codec" --tile 3 -o tiles/ "$tokens"
exit 0
