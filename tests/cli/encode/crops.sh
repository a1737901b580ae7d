# Crops are drawn from the seed and the key alone: neither threads, batches nor shards change them.
. "$TESTS/cli/help.sh"
need codec.safetensors
codec=$FIXTURES/codec.safetensors
# 48 x 40, so that there is something to draw.
mkdir wide
for n in 1 2 3 4 5; do
  { printf 'P6\n48 40\n255\n'
    awk -v n=$n 'BEGIN { for (y = 0; y < 40; y++) for (x = 0; x < 48; x++) {
      v = int((x + n) / 5) + int(y / 3); printf "%c%c%c", 33 + v % 2 * 89, 33 + v % 3 * 44, 33 + v % 4 * 29 } }'
  } >wide/p$n.ppm
done
encode() { expect 0 vq-encode -m "$codec" --no-history "$@" wide; }
words() { vq-info --text "$1" | grep -v '^#'; }

encode --resize paper-train --crops 3 --flip -s 7 -j 1 -b 1 -o one.vqt
encode --resize paper-train --crops 3 --flip -s 7 -j 4 -b 7 -o two.vqt
cmp one.vqt two.vqt || fail "threads or batches change the file"
for i in 0 1 2; do encode --resize paper-train --crops 3 --flip -s 7 --shard $i/3 -o s$i.vqt; done
for i in 0 1 2; do words s$i.vqt; done | sort >shards
words one.vqt | sort | cmp - shards || fail "shards change the records"
[ "$(words one.vqt | wc -l)" = 30 ] || fail "not 5 x 3 x 2 records"
words one.vqt | head -n 2 | cut -f 1 | tr '\n' ' ' | grep -q '^p1@crop0 p1@crop0+flip $' || fail "$(words one.vqt)"
words one.vqt | sed -n 4p | grep -q '"crop":1,"flip":true' || fail "$(words one.vqt | sed -n 4p)"
encode --resize paper-train --crops 3 --flip -s 8 -o other.vqt
words other.vqt | cut -f 3 | sort >b
words one.vqt | cut -f 3 | sort | cmp -s - b && fail "the seed changes nothing"
# The first crop of one is the first of three.
encode --resize paper-train -s 7 -o single.vqt
words single.vqt | cut -f 3 >a
words one.vqt | grep '@crop0	' | cut -f 3 | cmp - a || fail "the number of crops changes the first one"

for how in center squash paper-val; do
  encode --resize $how -o $how.vqt
  words $how.vqt | cut -f 3 >$how
  expect 2 vq-encode -m "$codec" --resize $how --crops 2 wide -o no.vqt
  grep -q '^vq-encode: --crops: with --resize '$how' all crops are the same$' err || fail "$(cat err)"
done
cmp -s center squash && fail "center is squash"
# A mirrored picture twice mirrored: vq-encode of what was flipped by hand.
expect 2 vq-encode -m "$codec" --shard 3/3 wide -o no.vqt
exit 0
