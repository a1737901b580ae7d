# Checkpoints that mean harm, or are broken: a sentence and status 1, nothing run, nothing left behind.
. "$TESTS/cli/help.sh"
need taming.safetensors taming.pth
need_python zipfile
"$python" - <<'P'
import os, pickle, zipfile
class Harm:
    def __reduce__(self):
        return (os.system, ("touch harmed",))
with zipfile.ZipFile("harm.pth", "w") as archive:
    archive.writestr("archive/data.pkl", pickle.dumps({"state_dict": Harm()}, protocol=2))
    archive.writestr("archive/version", "3\n")
P
expect 1 vq-import harm.pth -o x.safetensors
grep -q 'posix.system\|os.system' err || fail "does not name the call: $(cat err)"
[ ! -e harmed ] || fail "ran what the pickle names"

# Bytes changed at random, most of them where names and sizes are: never a crash, never a file from a broken one.
"$python" - "$FIXTURES/taming.safetensors" "$FIXTURES/taming.pth" <<'P'
import random, sys
draw = random.Random(3)
for n in range(80):
    broken = bytearray(open(sys.argv[1 + n % 2], "rb").read())
    for _ in range(draw.choice([1, 3, 20])):
        broken[draw.randrange(min(len(broken), 20000))] = draw.choice([0, 34, 44, 48, 57, 91, 123, 255, draw.randrange(256)])
    if n % 5 == 0:
        del broken[draw.randrange(len(broken)):]
    open(f"broken{n}", "wb").write(broken)
P
for file in broken*; do
  vq-import -q --groups 2 $file -o x.safetensors -f >out 2>err
  status=$?
  case $status in
    0) vq-info x.safetensors >/dev/null || fail "$file: became a broken file" ;;
    1) prefixed vq-import 2 ;;
    *) fail "$file: exit status $status: $(cat err)" ;;
  esac
done
