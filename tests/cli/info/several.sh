# One bad file among good ones: the others get their answer, and the status is 1.
cp "$TESTS/cli/info/birds.txt" a.txt
: >empty
vq-info --field records a.txt empty missing.vqt a.txt
