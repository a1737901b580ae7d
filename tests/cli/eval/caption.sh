# The share of pictures that a checker finds right, with its error, and a checker's failings.
. "$TESTS/cli/help.sh"
set=$FIXTURES/pictures/captions.jsonl count=$(wc -l <"$FIXTURES/pictures/captions.jsonl")
ask() { expect "$1" vq-eval --metrics caption --checker "$2" "$set"; }

# Every second one is right, all are big; a summary at the end is no answer.
ask 0 'awk "{ printf \"{\\\"right\\\":%s,\\\"big\\\":true}\\n\", NR % 2 ? \"false\" : \"true\" } END { print \"{\\\"pictures\\\":9}\" }"'
grep -q "^{\"metric\":\"caption\",\"value\":0.5,\"error\":0.[0-9]*,\"fake\":$count,\"right\":$((count / 2)),.*\"big\":1.0}" out ||
  fail "$(cat out)"
# It is told paths that are there, and captions.
ask 0 'while read -r line; do
         image=$(echo "$line" | sed "s/.*\"image\":\"\([^\"]*\)\".*/\1/")
         case $line in *\"caption\":\"?*\"*) said=true ;; *) said=false ;; esac
         if [ -s "$image" ]; then echo "{\"image\":\"$image\",\"right\":$said}"; else echo "{\"right\":false}"; fi
       done'
grep -q '"value":1.0,"error":0.0[0-9]' out || fail "not all pictures are there: $(cat out)"

wrong() {  # COMMAND WHAT
  ask 1 "$1"
  prefixed vq-eval 3
  grep -q "$2" err || fail "$1: does not say '$2': $(cat err)"
  [ ! -s out ] || fail "$1: prints numbers"
}
wrong 'cat >seen; echo "{\"right\":true}"' 'gave 1 answers about'
wrong 'sed "s/.*/{\"right\":true}/"; echo "{\"right\":true}"' 'an answer too many'
wrong 'sed "s/.*/yes/"' 'line 1: not valid JSON'
wrong 'sed "s/.*/{\"right\":true}/"; exit 3' 'ended with status 3'
wrong 'no-such-program 2>/dev/null' 'ended with status 127'
wrong 'sed "s/.*/{\"image\":\"other\",\"right\":true}/"' 'is about "other" where'
wrong 'kill -9 $$' 'by a signal'

mkdir plain
cp "$FIXTURES/pictures/p2.ppm" plain
expect 1 vq-eval --metrics caption --checker cat plain
grep -q "picture 'p2' has no caption" err || fail "$(cat err)"

# A checker that stops reading is an error like the others, and not the end of vq-eval.
wrong 'exec <&-; exit 1' 'ended with status 1'
exit 0
