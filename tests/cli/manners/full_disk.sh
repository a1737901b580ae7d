# A full disk is status 1 and one line, also when only the last flush meets it.
. "$TESTS/cli/help.sh"
[ -w /dev/full ] || skip "there is no /dev/full"
for words in --help --version; do
  $TOOL $words >/dev/full 2>err
  [ $? = 1 ] || fail "$words > /dev/full is not exit status 1"
  prefixed $TOOL 1
  grep -q 'No space left on device' err || fail "does not say why: $(cat err)"
done
