# Two token files one after the other are one stream, for the decoder as for the reader.
. "$TESTS/cli/help.sh"
need codec.safetensors tokens.vqt model.safetensors
cp "$FIXTURES/tokens.vqt" a.vqt
expect 0 vq-sample -m "$FIXTURES/model.safetensors" -p "disc 40 60 30" -n 3 -o b.vqt
cat a.vqt b.vqt | expect 0 vq-decode -m "$FIXTURES/codec.safetensors" -o pictures/
[ "$(find pictures -name '*.png' | wc -l)" = 15 ] || fail "$(find pictures -name '*.png' | wc -l) pictures, not 15"
[ "$(wc -l <pictures/captions.jsonl)" = 15 ] || fail "captions.jsonl has not 15 lines"
