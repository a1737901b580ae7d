# With a codec and one set of pictures: how well the codec keeps them, and the distance that costs.
. "$TESTS/cli/help.sh"
need codec.safetensors
expect 0 vq-eval -q --metrics recon,fid -m "$FIXTURES/codec.safetensors" "$FIXTURES/pictures"
[ ! -s err ] || fail "says something under --quiet: $(cat err)"
[ "$(wc -l <out)" = 2 ] || fail "not one line a metric: $(cat out)"
head -n 1 out | grep -q '^{"metric":"recon","value":[0-9.]*,"error":[0-9.]*,"ssim":[0-9.]*,"ssim_error":[0-9.]*,"real":12,"fake":12,' ||
  fail "recon: $(head -n 1 out)"
tail -n 1 out | grep -q '"metric":"fid".*"network":"codec [^"]*","network_id":"[0-9a-f]\{64\}","standard":false,"reference_id":"[0-9a-f]\{64\}","seed":0' ||
  fail "fid: $(tail -n 1 out)"
exit 0
