# What vq-eval and vq-train print can be drawn as it is: purity with its bins, and a training log.
. "$TESTS/cli/help.sh"
need model.safetensors tokens.vqt
expect 0 sh -c 'vq-eval -q --metrics purity,bits -m "$FIXTURES/model.safetensors" "$FIXTURES/tokens.vqt" >lines.jsonl'
expect 0 vq-eval -q --plot purity.png lines.jsonl
[ ! -s err ] || fail "says something under --quiet: $(cat err)"
expect 0 vq-eval --plot times.png -x timestep lines.jsonl
cmp -s purity.png times.png && fail "-x makes no difference to purity"
expect 0 sh -c 'vq-train diffusion -q "$FIXTURES/tokens.vqt" -o m.safetensors --size tiny --steps 3 -b 4 --log-every 1 --log m.log'
expect 0 vq-eval --plot loss.png -y loss m.log
[ ! -s err ] || fail "$(cat err)"
