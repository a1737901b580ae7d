# bf16 gives nearly the same pictures (no sample more than eight of 255 away); int8 is no way to decode.
. "$TESTS/cli/help.sh"
need codec.safetensors tokens.vqt
decode() { vq-decode -m "$FIXTURES/codec.safetensors" --dtype "$1" -o - "$FIXTURES/tokens.vqt"; }
decode fp32 | od -An -v -tu1 -w1 >exact
decode bf16 | od -An -v -tu1 -w1 >rough
paste exact rough | awk '{ off = $1 - $2; if (off < 0) off = -off; if (off > most) most = off }
  END { print (NR > 30000), (most <= 8) }'
expect 2 vq-decode -m "$FIXTURES/codec.safetensors" --dtype int8 "$FIXTURES/tokens.vqt" 2>/dev/null
