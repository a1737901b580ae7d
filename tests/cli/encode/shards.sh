# Tar shards: plain, compressed or piped they give the same tokens; a cut one is named with what was whole.
. "$TESTS/cli/help.sh"
need codec.safetensors
command -v tar >/dev/null || skip "there is no tar"
codec=$FIXTURES/codec.safetensors
for number in 1 2 3 4; do
  cp "$FIXTURES/pictures/p$number.ppm" "0$number.ppm"
  echo "picture $number" >"0$number.txt"
done
tar -cf s-00.tar 01.ppm 01.txt 02.ppm 02.txt
tar -cf s-01.tar 03.ppm 03.txt 04.ppm 04.txt
words() { vq-info --text "$1" | grep -v '^#'; }

expect 0 vq-encode --no-history -m "$codec" 's-{00..01}.tar' -o plain.vqt
[ "$(words plain.vqt | grep -c '"caption":"picture [1-4]"')" = 4 ] || fail "$(words plain.vqt)"
gzip -k s-00.tar
zstd -q s-01.tar
expect 0 vq-encode --no-history -m "$codec" s-00.tar.gz s-01.tar.zst -o packed.vqt
cat s-00.tar s-01.tar | expect 0 vq-encode --no-history -m "$codec" -o piped.vqt
words plain.vqt >plain
words packed.vqt | cmp - plain || fail "compressed shards give something else"
words piped.vqt | cmp - plain || fail "a pipe gives something else"

head -c 9000 s-01.tar >cut.tar
expect 1 vq-encode -m "$codec" s-00.tar cut.tar -o cut.vqt
grep -q '^vq-encode: cut.tar: the archive is cut off, after 1 whole samples, the last of them 03$' err ||
  fail "$(cat err)"
[ ! -e cut.vqt ] || fail "leaves a file"

# A broken picture counts against --max-bad; the rest of its shard does not suffer.
echo nothing >01.ppm
tar -cf bad.tar 01.ppm 01.txt 02.ppm 02.txt
expect 1 vq-encode -m "$codec" bad.tar -o bad.vqt
grep -q '^vq-encode: bad.tar: 01.ppm: ' err || fail "$(cat err)"
expect 0 vq-encode -m "$codec" --max-bad 1 bad.tar -o bad.vqt
[ "$(words bad.vqt | wc -l)" = 1 ] || fail "not the one good picture"

# Training picks pictures in any order.
expect 0 vq-train codec 's-{00..01}.tar' -o small.safetensors --size tiny --steps 2 -b 2 --image-size 32 --codes 8
expect 1 vq-train codec s-00.tar.gz -o no.safetensors --size tiny --steps 2 -b 2
grep -q 's-00.tar.gz: is compressed or a pipe' err || fail "$(cat err)"
exit 0
