# There and back in the original's layout: the same weights, and the same tokens from them.
. "$TESTS/cli/help.sh"
need checkpoint.safetensors
printf 'cat\na dog\nowl\n' >names
expect 0 vq-import -q --heads 2 --groups 2 --classes names "$FIXTURES/checkpoint.safetensors" -o model.safetensors \
  --codec-out codec.safetensors
expect 0 vq-import --to microsoft --codec codec.safetensors -o out.d model.safetensors
[ "$(ls out.d | tr '\n' ' ')" = 'classes.txt codec.pth model.pth ' ] || fail "other files: $(ls out.d)"
grep -q 'n_layer 1, n_embd 8, n_head 2,' err || fail "does not say what a configuration needs: $(cat err)"
cmp -s names out.d/classes.txt || fail "the classes have other names"
expect 0 vq-info --tensors out.d/model.pth
grep -q 'model.transformer.transformer.blocks.0.attn.key.weight' out || fail "no names of the original: $(cat out)"
grep -q 'model.content_codec.dec.quantize.embedding.weight' out || fail "no codec inside: $(cat out)"

expect 0 vq-import -q --heads 2 --groups 2 --classes out.d/classes.txt out.d/model.pth -o model2.safetensors \
  --codec-out codec2.safetensors
expect 0 vq-import -q --groups 2 out.d/codec.pth -o codec3.safetensors
for file in codec2 codec3; do
  vq-info --tensors codec.safetensors | grep -v -e codec -e " size " >a
  vq-info --tensors $file.safetensors | grep -v -e codec -e " size " >b
  [ -s a ] || fail "vq-info shows no tensors"
  cmp -s a b || fail "$file is another codec"
done
for name in model model2; do
  expect 0 sh -c "echo owl | vq-sample -m $name.safetensors --order random --steps 4 --no-history -n 2 --text -o $name.txt"
  grep -v '^#' $name.txt >$name.tokens
done
[ "$(wc -l <model.tokens)" = 2 ] || fail "not two records"
cmp -s model.tokens model2.tokens || fail "the model that came back draws other tokens"

expect 2 vq-import --to microsoft --codec codec.safetensors -o out.d model.safetensors
grep -q 'exists' err || fail "does not say that the file is there: $(cat err)"
expect 2 vq-import --to microsoft -o other.d model.safetensors
grep -q '\-\-codec' err || fail "does not say what is missing: $(cat err)"
expect 2 vq-import --to nobody -o other.d model.safetensors
[ ! -e other.d ] || fail "leaves a folder"
