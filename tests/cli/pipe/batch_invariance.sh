# Law 3: the same seed gives the same bytes for every batch size, thread count, and all shards together.
. "$TESTS/cli/help.sh"
need model.safetensors
sample() { vq-sample -m "$FIXTURES/model.safetensors" -s 7 --no-history --steps 9 "$@" prompts; }
for i in 1 2 3 4 5; do echo "disc 40 60 30"; echo "disc 200 180 220"; done >prompts
expect 0 sample -n 3 -b 7 -o a.vqt
expect 0 sample -n 3 -b 1 -o b.vqt
expect 0 sample -n 3 -b 30 -j 1 -o c.vqt
cmp a.vqt b.vqt && cmp a.vqt c.vqt || fail "the bytes depend on the batch"
sample -n 3 -b 4 >d.vqt
cmp a.vqt d.vqt || fail "the bytes depend on where they go"
for i in 0 1 2; do expect 0 sample -n 3 --shard $i/3 --text -o shard$i.txt; done
sample -n 3 --text -o whole.txt
cat shard0.txt shard1.txt shard2.txt | grep -v '^#' | sort >shards
grep -v '^#' whole.txt | sort | cmp - shards || fail "the shards are not the whole"
