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
# Pictures and models are judged apart, and an option that would do nothing is refused.
try --metrics bits tokens
try --metrics bits,fid -m no-such-model tokens
try --metrics bits --size 32 -m no-such-model tokens
try --metrics purity --network no-such-network -m no-such-model tokens
try --metrics purity --draws 2 -m no-such-model tokens
try --metrics bits --timesteps 20 -m no-such-model tokens
try --metrics purity --timesteps 20, -m no-such-model tokens
try --metrics purity --timesteps 0 -m no-such-model tokens
try --metrics purity --timesteps many -m no-such-model tokens
try --draws 2 -m no-such-codec a b
try --metrics bits --draws 0 -m no-such-model tokens
# What judges one set by itself, and needs more than a codec.
try --metrics clip pictures
try --metrics clip --clip no-such-file pictures
try --metrics clip,fid --clip no-such-file --clip-merges no-such-file pictures
try --metrics fid --clip no-such-file -m no-such-codec a b
try --metrics usage,kid tokens
try --metrics caption pictures
try --metrics caption,fid --checker true pictures
try --metrics caption --checker true --size 32 pictures
try --metrics recon --checker true a b
try --metrics lpips a b
try --metrics recon --resize squash a b
try --metrics recon --lpips no-such-file a b
try --metrics kid no-such-folder no-such-folder
try --fid-mode dirty -m no-such-codec a b
