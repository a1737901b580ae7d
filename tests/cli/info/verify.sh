# --verify: one line a file, the places of the faults on standard error, and a status.
. "$TESTS/cli/help.sh"
cp "$TESTS/golden/token-grid-v1/passed/history.vqt" good.vqt
cp "$TESTS/golden/token-grid-v1/failed/frame-checksum-wrong.vqt" bad.vqt
cp "$TESTS/cli/info/birds.txt" .
echo "hello" >other
vq-info --verify good.vqt bad.vqt birds.txt other
