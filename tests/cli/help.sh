# For tests: sourced with `. "$TESTS/cli/help.sh"`.

# fail MESSAGE: says what is wrong and ends the test.
fail() {
  echo "$*"
  exit 1
}

# skip REASON
skip() {
  echo "$*"
  exit 77
}

# does_not_apply REASON: passes; for manners that a program has no occasion to show.
does_not_apply() {
  exit 0
}

# need FILE...: skips where fixtures.sh could not make one.
need() {
  for fixture in "$@"; do
    [ -e "$FIXTURES/$fixture" ] || skip "there is no fixture $fixture"
  done
}

# need_python MODULE: sets `python` to one that has it, Debian's first. None is needed to build, so others may lack it.
need_python() {
  for python in /usr/bin/python3 python3; do
    if "$python" -c "import $1" 2>/dev/null; then return; fi
  done
  skip "there is no python3 with $1 (Debian: python3-$1)"
}

# expect STATUS COMMAND...: runs it with its output in the files out and err.
expect() {
  wanted=$1
  shift
  "$@" >out 2>err
  status=$?
  if [ $status != "$wanted" ]; then
    echo "exit status $status, not $wanted: $*"
    sed 's/^/stderr: /' err
    exit 1
  fi
}

# prefixed TOOL [LINES]: every line of err begins with `TOOL: `, and there are 1 to LINES of them.
prefixed() {
  [ -s err ] || fail "says nothing on standard error"
  if grep -v "^$1: " err; then fail "a line on standard error does not begin with '$1: '"; fi
  if [ "$(wc -l <err)" -gt "${2:-2}" ]; then
    cat err
    fail "more than ${2:-2} lines on standard error"
  fi
}

# verbs TOOL: the verbs of a program that has them, one a line.
verbs() { "$1" --help=words | awk -F '\t' '$3 == "verb" { print $1 }'; }

# read_command TOOL: sets `command` to a command line that reads one broken input, where % is its file.
# write_command TOOL: sets `command` to one that writes one file, where % stands for it. Both skip where
# a fixture is missing, and both are the place to add a new program to.
read_command() {
  case $1 in
    vq-import) command="vq-import % -o result.safetensors" ;;
    vq-info) command="vq-info %" ;;
    vq-encode) need codec.safetensors; command="vq-encode -m $FIXTURES/codec.safetensors -o result.vqt %" ;;
    vq-decode) need codec.safetensors; command="vq-decode -m $FIXTURES/codec.safetensors -o result.ppm %" ;;
    vq-sample) command="vq-sample -m % -n 1 -o result.vqt" ;;
    vq-train) command="vq-train diffusion % -o result.safetensors --size tiny --steps 1" ;;
    vq-eval)
      need codec.safetensors
      command="vq-eval --metrics fid -m $FIXTURES/codec.safetensors % $FIXTURES/pictures -o result.json" ;;
    *) skip "read_command in tests/cli/help.sh does not know $1" ;;
  esac
}

write_command() {
  case $1 in
    vq-encode)
      need codec.safetensors
      command="vq-encode -m $FIXTURES/codec.safetensors -o % $FIXTURES/pictures" ;;
    vq-decode)
      need codec.safetensors tokens.vqt
      command="vq-decode -m $FIXTURES/codec.safetensors -o %.ppm $FIXTURES/tokens.vqt" ;;
    vq-sample)
      need model.safetensors
      command="vq-sample -m $FIXTURES/model.safetensors -n 4 -o % -p disc" ;;
    vq-train)
      need codec.safetensors
      command="vq-train codec $FIXTURES/pictures -o % --size tiny --steps 2 -b 4 --image-size 32 --codes 16" ;;
    vq-eval)
      need codec.safetensors
      command="vq-eval --metrics recon -m $FIXTURES/codec.safetensors -o % $FIXTURES/pictures" ;;
    vq-import)
      need taming.safetensors
      command="vq-import -q --groups 2 -o % $FIXTURES/taming.safetensors" ;;
    vq-info) does_not_apply "writes no file" ;;
    *) skip "write_command in tests/cli/help.sh does not know $1" ;;
  esac
}

# fill TEXT: `command` with % replaced, run by `sh -c`.
fill() { echo "$command" | sed "s|%|$1|g"; }
