"""Imports a checkpoint of the largest released size, beside cp: time and memory.

  python3 import_large.py --programs BIN --vocabulary MERGES --place DIR [--form safetensors|pth] [--layers N]
                          [--width D] [--keep FILE]

Writes a checkpoint in the layout of ithq_learnable.pth (36 layers of 1408: 1.36 thousand million numbers) into DIR, its
moving average as safetensors or, as it is published, that and the weights in a PyTorch archive, with random numbers;
copies it with cp and imports it, each until the bytes are on the disk; and says how long both took and how much memory
vq-import had to itself (what it maps of the file is the system's). DIR needs three times the checkpoint's size (5.7 or
11.4 GB); all of it is removed again, but for the model where --keep says where to.
"""

import argparse
import collections
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import time
import types
import zipfile


def layout(layers, width, codes=4096, side=32, text=512, text_layers=12):
    shapes = {}

    def linear(name, after, before):
        shapes[name + ".weight"], shapes[name + ".bias"] = [after, before], [after]

    def norm(name, size):
        shapes[name + ".weight"], shapes[name + ".bias"] = [size], [size]

    def adaptive(name):
        shapes[name + ".emb.weight"] = [100, width]
        linear(name + ".linear", 2 * width, width)

    shapes["empty_text_embed"] = [77, text]
    clip = "condition_emb."
    shapes[clip + "token_embedding.weight"] = [49408, text]
    shapes[clip + "positional_embedding"], shapes[clip + "text_projection"] = [77, text], [text, text]
    norm(clip + "ln_final", text)
    for i in range(text_layers):
        layer = clip + f"transformer.resblocks.{i}."
        shapes[layer + "attn.in_proj_weight"], shapes[layer + "attn.in_proj_bias"] = [3 * text, text], [3 * text]
        linear(layer + "attn.out_proj", text, text)
        linear(layer + "mlp.c_fc", 4 * text, text)
        linear(layer + "mlp.c_proj", text, 4 * text)
        norm(layer + "ln_1", text)
        norm(layer + "ln_2", text)
    content = "transformer.content_emb."
    shapes[content + "emb.weight"] = [codes + 1, width]
    shapes[content + "height_emb.weight"] = shapes[content + "width_emb.weight"] = [side, width]
    for i in range(layers):
        block = f"transformer.blocks.{i}."
        adaptive(block + "ln1")
        adaptive(block + "ln1_1")
        norm(block + "ln2", width)
        for part in ("key", "query", "value", "proj"):
            linear(block + "attn1." + part, width, width)
            linear(block + "attn2." + part, width, text if part in ("key", "value") else width)
        shapes[block + "attn2.mask"] = [1, 1, side * side, side * side]
        linear(block + "mlp.0", 4 * width, width)
        linear(block + "mlp.2", width, 4 * width)
    norm("transformer.to_logits.0", width)
    linear("transformer.to_logits.1", codes, width)
    return shapes


def numbers(size):
    """Bytes of float32 from 2^-7 to 2^-5 with random signs, which a network can be run with."""
    block = bytearray(os.urandom(size))
    block[3::4] = block[3::4].translate(bytes(0x3C | (byte & 0x80) for byte in range(256)))
    return block


BLOCK = numbers(1 << 26)


def pieces(count):
    for begin in range(0, count, len(BLOCK)):
        yield memoryview(BLOCK)[: min(len(BLOCK), count - begin)]


def size_of(shape):
    count = 4
    for side in shape:
        count *= side
    return count


def write_safetensors(path, shapes):
    header, at = {}, 0
    for name, shape in shapes.items():
        header["ema." + name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size_of(shape)]}
        at += size_of(shape)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for piece in pieces(at):
            file.write(piece)
        os.fsync(file.fileno())


class Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


class Tensor:
    def __init__(self, storage, shape):
        strides = [1]
        for side in reversed(shape[1:]):
            strides.insert(0, strides[0] * side)
        self.arguments = (storage, 0, tuple(shape), tuple(strides), False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


def stand_in(module, name):
    """A pickle names functions by module and name; they need not do anything to be named."""
    function = types.FunctionType((lambda *a: None).__code__, {}, name)
    function.__module__, function.__qualname__ = module, name
    sys.modules.setdefault(module, types.ModuleType(module))
    setattr(sys.modules[module], name, function)


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", sys.modules["torch"].FloatStorage, value.key, "cpu", value.count)


def write_pth(path, shapes):
    """The weights and their moving average, as the published file has them: one record a tensor in a zip archive."""
    stand_in("torch", "FloatStorage")
    stand_in("torch._utils", "_rebuild_tensor_v2")
    records, content = [], {"last_epoch": 1, "last_iter": 1}
    for group, prefix in (("model", "transformer."), ("ema", "")):
        content[group] = collections.OrderedDict()
        for name, shape in shapes.items():
            key = str(len(records))
            records.append(size_of(shape))
            content[group][prefix + name] = Tensor(Storage(key, records[-1] // 4), shape)
    values = io.BytesIO()
    Pickler(values, protocol=2).dump(content)
    with open(path, "wb") as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", values.getvalue())
            for key, size in enumerate(records):
                record = zipfile.ZipInfo(f"archive/data/{key}")
                record.file_size = size
                with archive.open(record, "w") as out:
                    for piece in pieces(size):
                        out.write(piece)
            archive.writestr("archive/version", "3\n")
        os.fsync(file.fileno())


def timed(command, out):
    """Seconds until the bytes are on the disk, and MiB at the most: of its own, and with what it maps of files."""
    began, own = time.monotonic(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        try:
            with open(f"/proc/{process.pid}/status") as file:
                own = max(own, next((int(line.split()[1]) for line in file if line.startswith("RssAnon")), 0))
        except OSError:
            pass
        time.sleep(0.01)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    with open(out, "rb+") as file:
        os.fsync(file.fileno())
    return time.monotonic() - began, own / 1024, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--place", required=True)
    parser.add_argument("--layers", type=int, default=36)
    parser.add_argument("--width", type=int, default=1408)
    parser.add_argument("--form", choices=("safetensors", "pth"), default="safetensors")
    parser.add_argument("--keep", metavar="FILE")
    args = parser.parse_args()
    source, copy, ours = (os.path.join(args.place, name) for name in ("large." + args.form, "large.copy", "large.ours"))
    try:
        write = write_pth if args.form == "pth" else write_safetensors
        write(source, layout(args.layers, args.width))
        print(f"checkpoint: {os.path.getsize(source) / 1e9:.2f} GB", flush=True)
        seconds, _, _ = timed(["cp", source, copy], copy)
        print(f"cp: {seconds:.1f} s", flush=True)
        os.remove(copy)
        command = [os.path.join(args.programs, "vq-import"), source, "-o", ours, "--vocabulary", args.vocabulary]
        seconds, own, all_of_it = timed(command, ours)
        written = os.path.getsize(ours) / 1e9
        print(f"vq-import: {seconds:.1f} s, {own:.0f} MiB of its own ({all_of_it:.0f} with what it maps), "
              f"{written:.2f} GB written", flush=True)
        if args.keep:
            os.replace(ours, args.keep)
    finally:
        for path in (source, copy, ours):
            if os.path.exists(path):
                os.remove(path)


if __name__ == "__main__":
    main()
