# --json: one object a file, one line each.
cp "$TESTS/cli/info/birds.txt" .
vq-info --json birds.txt birds.txt | wc -l | tr -d ' '
vq-info --json birds.txt | grep -o '"codes_used":[0-9]*\|"whole":[a-z]*\|"captions":[0-9]*'
