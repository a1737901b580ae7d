# Command lines that cannot work: status 2, one sentence, before anything is read.
. "$TESTS/cli/help.sh"
try() {
  expect 2 vq-eval "$@"
  prefixed vq-eval
  [ ! -s out ] || fail "$*: writes to standard output"
}
try no-such-folder no-such-folder
try -m no-such-codec - -
try --network no-such-network pictures
try --metrics fud -m no-such-codec a b
try -m no-such-codec a b c
