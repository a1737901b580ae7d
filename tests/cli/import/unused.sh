# A tensor that nothing has a use for is an error that names it, unless it is allowed.
. "$TESTS/cli/help.sh"
need taming.safetensors
need_python struct
"$python" - "$FIXTURES/taming.safetensors" <<'P'
import json, struct, sys
content = open(sys.argv[1], "rb").read()
size = struct.unpack("<Q", content[:8])[0]
header, data = json.loads(content[8:8 + size]), content[8 + size:]
header["adapter.weight"] = {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}
text = json.dumps(header).encode()
open("more.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data + b"\0\0\0\0")
P
expect 1 vq-import --groups 2 more.safetensors -o x.safetensors
grep -q 'adapter.weight' err || fail "does not name it: $(cat err)"
grep -q -e '--allow-unused' err || fail "does not say how to allow it"
[ ! -e x.safetensors ] || fail "wrote the file all the same"
expect 0 vq-import --groups 2 --allow-unused 'adapter.*' more.safetensors -o x.safetensors
grep -q '^left: adapter.weight: allowed' out || fail "the table does not tell: $(cat out)"
