# --plot draws JSON lines from files or a pipe, measures nothing, and writes a PNG only when it is whole.
. "$TESTS/cli/help.sh"
for w in 1 2 3; do
  echo "{\"guidance\":$w,\"metric\":\"fid\",\"value\":$((10 - w)),\"error\":0.5}"
  echo "{\"guidance\":$w,\"metric\":\"accuracy\",\"value\":0.$w,\"error\":null}"
done >lines.jsonl
expect 0 vq-eval --plot file.png -x guidance lines.jsonl
[ ! -s out ] && [ ! -s err ] || fail "says something: $(cat out err)"
[ ! -e file.png.part ] || fail "leaves file.png.part behind"
vq-info file.png | grep -q '960 x 640' || fail "$(vq-info file.png)"

# Standard input is the same, and standard output too; it is the same picture every time.
expect 0 sh -c 'vq-eval --plot pipe.png -x guidance <lines.jsonl'
cmp file.png pipe.png || fail "from a pipe it is another picture"
expect 0 sh -c 'cat lines.jsonl | vq-eval --plot - --x-axis=guidance - >stdout.png'
cmp file.png stdout.png || fail "to standard output it is another picture"

# An existing file needs --force, and is refused before the lines are read.
cp file.png before
expect 2 vq-eval --plot file.png -x guidance no-such-file
grep -q -e --force err || fail "does not tell of --force: $(cat err)"
cmp file.png before || fail "wrote over it"
expect 0 vq-eval --plot file.png -f -x guidance --panels metric --plot-size 600x400 --title Sweep lines.jsonl
cmp -s file.png before && fail "other options, the same picture"
vq-info file.png | grep -q '600 x 400' || fail "$(vq-info file.png)"

# Lines without the field: one note.
{ echo '{"metric":"fid","value":3}'; cat lines.jsonl; echo; echo '{"step":1}'; } >more.jsonl
expect 0 vq-eval --plot more.png -x guidance more.jsonl
prefixed vq-eval 1
grep -q 'left out 2 lines .*"guidance"' err || fail "$(cat err)"
cmp more.png before || fail "lines that were left out change the picture"

# A broken line is named, and skipped where that is allowed.
{ cat lines.jsonl; echo '{"guidance":4,"met'; } >broken.jsonl
expect 1 vq-eval --plot broken.png -x guidance broken.jsonl
prefixed vq-eval
grep -q 'broken.jsonl: line 7: ' err || fail "$(cat err)"
[ ! -e broken.png ] && [ ! -e broken.png.part ] || fail "leaves a file behind"
expect 0 vq-eval --plot broken.png -x guidance --max-bad 1 broken.jsonl
cmp broken.png before || fail "the broken line changes the picture"
exit 0
