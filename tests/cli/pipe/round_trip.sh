# A decoded folder is a data set again, with the captions it began with.
. "$TESTS/cli/help.sh"
need codec.safetensors tokens.vqt
expect 0 vq-decode -m "$FIXTURES/codec.safetensors" -o again/ "$FIXTURES/tokens.vqt"
expect 0 vq-encode -m "$FIXTURES/codec.safetensors" -o again.vqt again/captions.jsonl
captions() { vq-info --text "$1" | grep -o '"caption":"[^"]*"' | sort; }
captions "$FIXTURES/tokens.vqt" >before
captions again.vqt | cmp - before
