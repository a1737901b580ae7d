"""A model of captions with CLIP's text tower in its encoder's place: clip_model.py MODEL OUT NULL

Weights of the encoder's layers stay what they were: both have the same tensors. NULL is learned or empty.
"""
import json
import struct
import sys

MODEL, OUT, NULL = sys.argv[1:]
MERGES = b"c a\nca t</w>\nd o\ndo g</w>\n"
VOCABULARY = 512 + 4 + 2

with open(MODEL, "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    data = file.read()
metadata = header.pop("__metadata__")
tensors = {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}

config = json.loads(metadata["vq.config"])
text = config["condition"]["text"]
width = text["width"]
text = {"kind": "clip", "layers": text["layers"], "width": width, "heads": text["heads"], "inner": 4 * width,
        "vocabulary": VOCABULARY, "length": text["length"], "precision": "fp32", "too_long": "keep-end",
        "exclamation": "word"}
config["condition"] = {"kind": "caption", "text": text, "null": NULL}
metadata["vq.config"] = json.dumps(config)

rows = [struct.pack("<f", 0.02 * ((row * 7 + i * 13) % 17 - 8)) for row in range(VOCABULARY) for i in range(width)]
tensors["condition.text.embedding.token.weight"] = ("F32", [VOCABULARY, width], b"".join(rows))
tensors["condition.vocabulary"] = ("U8", [len(MERGES)], MERGES)
if NULL == "empty":
    del tensors["condition.null"]

out, at = {"__metadata__": metadata}, 0
order = sorted(tensors.items(), key=lambda item: item[0] == "condition.vocabulary")  # bytes last: numbers stay aligned
for name, (dtype, shape, content) in order:
    out[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(content)]}
    at += len(content)
head = json.dumps(out).encode()
head += b" " * (-len(head) % 8)
with open(OUT, "wb") as file:
    file.write(struct.pack("<Q", len(head)) + head + b"".join(content for _, (_, _, content) in order))
