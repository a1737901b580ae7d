# Command lines that cannot work: status 2, one sentence and a hint.
. "$TESTS/cli/help.sh"
cp "$TESTS/cli/info/birds.txt" .
try() {
  word=$1
  shift
  expect 2 vq-info "$@"
  prefixed vq-info
  [ ! -s out ] || fail "$*: writes to standard output"
  grep -q -e "$word" err || fail "$*: does not say '$word': $(cat err)"
}
try 'needs --schedule' -T 10 birds.txt
try 'needs --schedule' -K 10
try 'did you mean linear' --schedule linaer
try 'neither a file nor one of' --schedule no-such-model.safetensors
try 'neither a file nor one of' --schedule=
try 'no operand' --schedule linear birds.txt
try 'does not go with' --schedule linear --text
try 'does not go with' --schedule linear --tensors
try 'needs --text' --schedule linear --records 1
try 'out of range' --schedule linear -T 0
try 'out of range' --schedule linear -K 0
try 'its own -T and -K' --schedule birds.txt -T 10
