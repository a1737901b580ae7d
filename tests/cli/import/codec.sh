# A codec of taming-transformers: imported, it encodes and decodes like any other. From PyTorch's archive it is the same.
. "$TESTS/cli/help.sh"
need taming.safetensors taming.pth
expect 0 vq-import --groups 2 --image-size 32 "$FIXTURES/taming.safetensors" -o codec.safetensors
head -n 1 out | grep -q 'taming.safetensors: a codec of taming-transformers' || fail "does not say what it is: $(cat out)"
grep -q '  encoder.conv_in  *-> encoder.conv_in  *2 tensors  *56 numbers' out ||
  fail "does not say what went where: $(cat out)"
expect 0 vq-info --json codec.safetensors
grep -q '"tool":"vq-import"' out || fail "the file has no history"
expect 0 vq-encode -m codec.safetensors "$FIXTURES/pictures" -o tokens.vqt
[ "$(vq-info --field records tokens.vqt)" = 12 ] || fail "not every picture is encoded"
expect 0 vq-decode -m codec.safetensors tokens.vqt -o pictures/
[ "$(ls pictures/*.png | wc -l)" = 12 ] || fail "not every picture is decoded"
expect 0 vq-import -q --groups 2 --image-size 32 "$FIXTURES/taming.pth" -o same.safetensors
expect 0 vq-encode -m same.safetensors "$FIXTURES/pictures" --no-history -o same.vqt
expect 0 vq-encode -m codec.safetensors "$FIXTURES/pictures" --no-history -o tokens.vqt -f
cmp -s same.vqt tokens.vqt || fail "the archive's codec makes other tokens"
