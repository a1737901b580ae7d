# A checkpoint with a model of classes and its codec: from prompts to pictures by our programs.
. "$TESTS/cli/help.sh"
need checkpoint.safetensors
printf 'cat\ndog\nowl\n' >names
import="vq-import --heads 2 --groups 2 --classes names"
expect 0 $import --dry-run "$FIXTURES/checkpoint.safetensors"
grep -q 'ema.transformer.blocks.#.attn.{query,key,value} ' out || fail "no table: $(cat out)"
if ls | grep -v -e '^out$' -e '^err$' -e '^names$'; then fail "a dry run writes"; fi
expect 0 $import "$FIXTURES/checkpoint.safetensors" -o model.safetensors --codec-out codec.safetensors
expect 0 sh -c 'echo owl | vq-sample -m model.safetensors --order random --steps 4 -n 2 -o tokens.vqt'
expect 0 vq-decode -m codec.safetensors tokens.vqt -o pictures/
[ "$(ls pictures/*.png | wc -l)" = 2 ] || fail "there are not two pictures"
# One of two outputs is there already: neither is written.
rm model.safetensors
cp codec.safetensors before
expect 2 $import "$FIXTURES/checkpoint.safetensors" -o model.safetensors --codec-out codec.safetensors
[ ! -e model.safetensors ] || fail "wrote one of two files"
cmp -s codec.safetensors before || fail "wrote over the codec"
