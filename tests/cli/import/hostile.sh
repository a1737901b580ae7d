# Checkpoints that mean harm, or are broken: a sentence and status 1, nothing run, nothing left behind.
# VQ_HOSTILE: how many broken ones; a thousand with tests/run.sh --all.
. "$TESTS/cli/help.sh"
need taming.safetensors taming.pth checkpoint.safetensors captions.safetensors tower.safetensors
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

"$python" "$TESTS/cli/import_hostile.py" --fixtures "$FIXTURES" --count "${VQ_HOSTILE:-32}" >out || fail "$(cat out)"
