# With --max-wait a batch waits for the prompts that fill it, and no longer; the tokens are the same.
. "$TESTS/cli/help.sh"
need model.safetensors
mkfifo prompts
{ vq-sample -m "$FIXTURES/model.safetensors" --steps 2 --no-history --text -b 2 --max-wait 3600 prompts 2>err
  echo $? >status; } | cat >patient &
pipe=$!
records() { grep -v '^#' patient | grep -c "caption"; }
exec 5>prompts
echo "disc 40 60 30" >&5
sleep 1
[ "$(records)" = 0 ] || fail "the first prompt did not wait for the second"
echo "disc 200 180 220" >&5
tries=0
until [ "$(records)" = 2 ]; do
  tries=$((tries + 1))
  [ $tries -lt 300 ] || fail "no grids after 30 s although the batch was full: $(cat err)"
  sleep 0.1
done
exec 5>&-
wait $pipe
[ "$(cat status)" = 0 ] || fail "$(cat err)"
printf 'disc 40 60 30\ndisc 200 180 220\n' |
  vq-sample -m "$FIXTURES/model.safetensors" --steps 2 --no-history --text -b 1 | cmp - patient
