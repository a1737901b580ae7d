# Guidance and truncation do not make a record depend on its neighbours.
. "$TESTS/cli/help.sh"
need model.safetensors
sample() { vq-sample -m "$FIXTURES/model.safetensors" -s 7 --no-history --guidance 3 --top-p 0.9 --steps 5 "$@"; }
expect 0 sample -p "disc 40 60 30" -p "disc 200 180 220" -n 5 -b 10 -o a.vqt
expect 0 sample -p "disc 40 60 30" -p "disc 200 180 220" -n 5 -b 3 -o b.vqt
cmp a.vqt b.vqt
