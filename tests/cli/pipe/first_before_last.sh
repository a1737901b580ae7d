# The first picture is decoded before the last is sampled: prompts come slowly, pictures come at once.
. "$TESTS/cli/help.sh"
need codec.safetensors model.safetensors
mkfifo prompts
(vq-sample -m "$FIXTURES/model.safetensors" --steps 4 -b 2 prompts |
  vq-decode -m "$FIXTURES/codec.safetensors" -o pictures/) 2>err &
pipe=$!
exec 5>prompts
echo "disc 40 60 30" >&5
tries=0
until ls pictures/*.png >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ $tries -lt 300 ] || fail "no picture after 30 s although one prompt was given: $(cat err)"
  sleep 0.1
done
echo "disc 200 180 220" >&5
exec 5>&-
wait $pipe || fail "$(cat err)"
[ "$(ls pictures/*.png | wc -l)" = 2 ] || fail "not two pictures"
