# A stopped training run goes on to the same bytes as one that was never stopped.
. "$TESTS/cli/help.sh"
need tokens.vqt
train() { vq-train diffusion "$FIXTURES/tokens.vqt" --size tiny --steps 60 -b 4 --dtype fp32 -j 1 -q "$@"; }
expect 0 train -o whole.safetensors
# Not through the function: the signal is for the program and not for a shell around it.
vq-train diffusion "$FIXTURES/tokens.vqt" --size tiny --steps 60 -b 4 --dtype fp32 -j 1 -q -o part.safetensors \
  --log part.log --log-every 1 2>err &
program=$!
tries=0
until [ -s part.log ] && [ "$(wc -l <part.log)" -ge 5 ]; do
  tries=$((tries + 1))
  [ $tries -lt 600 ] || fail "no log after 60 s: $(cat err)"
  sleep 0.1
done
kill -TERM $program
wait $program
status=$?
if [ $status = 0 ]; then skip "it was done before it could be stopped"; fi
[ $status = 143 ] || fail "exit status $status after SIGTERM, not 143: $(cat err)"
[ -e part.safetensors.state ] || fail "left no state"
[ ! -e part.safetensors ] || fail "wrote a model that is not trained"
expect 2 train -o part.safetensors
expect 0 train -o part.safetensors --resume
[ ! -e part.safetensors.state ] || fail "left the state of a run that is done"
vq-info --json whole.safetensors >/dev/null || fail "vq-info cannot read it"
# The history says how each came to be; the weights are the same.
weights() { python3 -c 'import sys; d = open(sys.argv[1], "rb").read(); n = int.from_bytes(d[:8], "little"); sys.stdout.buffer.write(d[8 + n:])' "$1"; }
weights whole.safetensors >a
weights part.safetensors | cmp - a
