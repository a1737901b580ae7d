# A run that is stopped and gone on with ends with the file of a run without a stop, byte for byte.
. "$TESTS/cli/help.sh"
need codec.safetensors
codec=$FIXTURES/codec.safetensors
mkdir images
cp "$FIXTURES"/pictures/p*.ppm images
awk 'BEGIN { for (i = 0; i < 1500; i++)
  printf "{\"image\":\"images/p%d.ppm\",\"key\":\"k%d\",\"caption\":\"number %d\"}\n", i % 12 + 1, i, i }' >all.jsonl
encode() { status=$1; shift; expect "$status" vq-encode -m "$codec" --no-history -b 8 all.jsonl "$@"; }
encode 0 -o whole.vqt

# Stopped by a broken picture: the whole blocks before it stay.
sed 's/images\/p1.ppm","key":"k900"/broken.ppm","key":"k900"/' all.jsonl >good && echo nothing >broken.ppm
mv all.jsonl kept && mv good all.jsonl
encode 1 --resume -o a.vqt
grep -q '^vq-encode: broken.ppm: is not a PNG, JPEG, WebP or PPM image$' err || fail "$(cat err)"
[ ! -e a.vqt ] && [ -s a.vqt.part ] || fail "no a.vqt.part is left: $(ls)"
mv kept all.jsonl
encode 0 --resume -o a.vqt
grep -q '^vq-encode: goes on behind 768 records$' err || fail "$(cat err)"
cmp a.vqt whole.vqt || fail "not the file of a run without a stop"
[ ! -e a.vqt.part ] || fail "a.vqt.part is still there"

# Killed somewhere in the middle.
for wait in 1 2 3; do
  rm -f b.vqt b.vqt.part
  vq-encode -m "$codec" --no-history -b 2 -o b.vqt --resume all.jsonl 2>/dev/null &
  pid=$!
  while [ ! -e b.vqt ] && [ "$(cat b.vqt.part 2>/dev/null | wc -c)" -lt $((6000 * wait)) ]; do :; done
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
  encode 0 --resume -o b.vqt
  cmp b.vqt whole.vqt || fail "not the same file after kill -9"
done

# Asked to end: what is done stays with --resume, and nothing without it.
for how in --resume --force; do
  rm -f c.vqt c.vqt.part
  vq-encode -m "$codec" --no-history -b 1 -o c.vqt $how all.jsonl 2>/dev/null &
  pid=$!
  while [ ! -e c.vqt ] && [ "$(cat c.vqt.part 2>/dev/null | wc -c)" -lt 3000 ]; do :; done
  kill $pid 2>/dev/null
  wait $pid 2>/dev/null
  [ -e c.vqt ] || case $how in
    --resume) [ -s c.vqt.part ] || fail "SIGTERM lost what was done" ;;
    *) [ ! -e c.vqt.part ] || fail "SIGTERM left c.vqt.part behind" ;;
  esac
done

# The set grew; and what differs is refused.
head -n 700 all.jsonl >some.jsonl
expect 0 vq-encode -m "$codec" --no-history -o d.vqt some.jsonl
encode 0 --resume -o d.vqt
grep -q '^vq-encode: goes on behind 700 records$' err || fail "$(cat err)"
words() { vq-info --text "$1" | grep -v '^#'; }
words whole.vqt >wanted
words d.vqt | cmp - wanted || fail "a file that grew has other records"
cp d.vqt before
expect 1 vq-encode -m "$codec" --resume --resize squash -o d.vqt all.jsonl
grep -q '^vq-encode: d.vqt: cannot be gone on with: its "pictures" are {"resize":"center"}' err || fail "$(cat err)"
cmp d.vqt before || fail "a refusal changed the file"
expect 2 vq-encode -m "$codec" --resume --text -o e.vqt all.jsonl
expect 2 vq-encode -m "$codec" --resume -o - all.jsonl
exit 0
