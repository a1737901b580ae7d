#!/usr/bin/env python3
"""Makes a feature network for vq-eval out of SqueezeNet 1.1's published weights.

usage: squeezenet-features.py WEIGHTS.npz NETWORK.safetensors

WEIGHTS.npz is a NumPy archive of the network's tensors under their Caffe layer names (conv1.weight,
fire2.squeeze1x1.weight, ..., conv10.bias) and input.bgr_mean_add, the negative mean colour in the
order blue, green, red. Then:  vq-eval --network NETWORK.safetensors photos/ out/

Needs Python's own library only.
"""
import ast
import json
import struct
import sys
import zipfile

DTYPES = {"<f2": ("F16", 2), "<f4": ("F32", 4), "<f8": ("F64", 8)}


def read_npy(data, name):
    """One array of the archive: (safetensors dtype, shape, bytes in row-major order)."""
    if data[:6] != b"\x93NUMPY":
        sys.exit(f"{name}: not a NumPy array")
    start, length = (10, struct.unpack("<H", data[8:10])[0]) if data[6] == 1 else (
        12, struct.unpack("<I", data[8:12])[0])
    header = ast.literal_eval(data[start:start + length].decode("latin-1"))
    if header["descr"] not in DTYPES or header["fortran_order"]:
        sys.exit(f"{name}: {header['descr']} in this order is not supported")
    dtype, size = DTYPES[header["descr"]]
    body = data[start + length:]
    count = 1
    for side in header["shape"]:
        count *= side
    if len(body) != count * size:
        sys.exit(f"{name}: {len(body)} bytes for {count} numbers")
    return dtype, list(header["shape"]), body


def main(source, target):
    header = {"__metadata__": {
        "vq.kind": "features",
        "vq.config": json.dumps({"architecture": "squeezenet1.1"}),
        "vq.history": json.dumps([{"tool": "squeezenet-features.py"}])}}
    bodies, offset = [], 0
    with zipfile.ZipFile(source) as archive:
        for member in archive.namelist():
            name = member.removesuffix(".npy")
            dtype, shape, body = read_npy(archive.read(member), name)
            header[name] = {"dtype": dtype, "shape": shape,
                            "data_offsets": [offset, offset + len(body)]}
            bodies.append(body)
            offset += len(body)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(target, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for body in bodies:
            out.write(body)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
