# A signal ends the program as a signal does, and takes the unfinished output with it.
. "$TESTS/cli/help.sh"
# The end of `command` reads standard input from a pipe that stays open, so that there is time.
case $TOOL in
  vq-info) command="vq-info -" ;;
  vq-decode)
    need codec.safetensors tokens.vqt
    command="vq-decode -m $FIXTURES/codec.safetensors -o % -" ;;
  vq-sample)
    need model.safetensors
    command="vq-sample -m $FIXTURES/model.safetensors -o % -" ;;
  *) does_not_apply "$TOOL does not wait for standard input" ;;
esac
mkfifo input
for pair in TERM=143 HUP=129; do
  signal=${pair%=*}
  $(fill result.ppm) <input >out 2>err &
  program=$!
  exec 5>input
  sleep 0.5
  kill -0 $program 2>/dev/null || fail "ended by itself: $(cat err)"
  kill -$signal $program
  wait $program 2>/dev/null
  status=$?
  exec 5>&-
  [ $status = ${pair#*=} ] || fail "exit status $status after SIG$signal"
  if ls | grep '^result'; then fail "leaves its unfinished output after SIG$signal"; fi
done
