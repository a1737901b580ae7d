# Binary data never goes to a terminal unasked, and no program waits for a person to type it.
. "$TESTS/cli/help.sh"
command -v script >/dev/null || skip "there is no script(1) to make a terminal with"
script -qec true /dev/null </dev/null >/dev/null 2>&1 || skip "no pseudo-terminal can be made here"
on_terminal() { script -qec "$1" /dev/null </dev/null >screen 2>&1; }
case $TOOL in
  vq-info)
    on_terminal vq-info
    status=$?
    why='is a terminal, and no input was given'
    ;;
  vq-encode | vq-sample)
    write_command $TOOL
    on_terminal "$(fill -)"
    status=$?
    why='is a terminal, and the output is binary'
    ;;
  vq-decode)
    need codec.safetensors tokens.vqt
    on_terminal "vq-decode -m $FIXTURES/codec.safetensors $FIXTURES/tokens.vqt"
    status=$?
    why='is a terminal, and the output is binary'
    ;;
  *) does_not_apply "$TOOL neither writes nor waits for binary data" ;;
esac
[ $status = 2 ] || fail "exit status $status, not 2: $(tr -d '\r' <screen)"
tr -d '\r' <screen | grep -q "^$TOOL: .*$why" || fail "does not say why: $(tr -d '\r' <screen)"
