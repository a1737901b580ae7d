# After -- nothing is an option; a lone - is standard input or output, never an unknown option.
. "$TESTS/cli/help.sh"
for words in "-- --help" "-- --no-such-option" "-"; do
  $TOOL $words >out 2>err </dev/null
  status=$?
  case $status in
    1 | 2) ;;
    *) fail "$words: exit status $status" ;;
  esac
  prefixed $TOOL
  if grep -q -e '--no-such-option: no such option' -e '^[^ ]* -: no such option' err; then
    fail "$words: taken for an option: $(cat err)"
  fi
done
