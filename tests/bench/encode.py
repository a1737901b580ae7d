"""Tokenising pictures: vq-encode beside a plain Python loop (Pillow, PyTorch) with the same codec, turn by turn.

Both read the same files, cut the centre square, resample it with antialiased bicubic, encode batches of 32 and keep the
nearest codes. See README.md here.
"""

import json
import os
import re
import struct
import subprocess
import tempfile
import time

import numpy
import torch
import torch.nn.functional as F
from PIL import Image

import sides

BATCH = 32
# name, size of the codec, pixels a side of its pictures, of the files, ending, how many
CASES = [
    ("photos", "small", 64, (500, 375), "jpg", 512),
    ("tiles", "tiny", 32, (32, 32), "png", 4096),
]


def read_safetensors(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32", name
        tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32).view(entry["shape"])
    return meta, tensors


class Codec:
    """The encoder of lib/codec, as anybody would write it in PyTorch."""

    def __init__(self, path):
        meta, self.t = read_safetensors(path)
        configs = [json.loads(value) for value in meta.values() if value.startswith("{")]
        self.c = next(c.get("config", c) for c in configs if "multipliers" in c.get("config", c))
        self.factor = self.c["patch"] << (len(self.c["multipliers"]) - 1)

    def conv(self, name, x, **how):
        return F.conv2d(x, self.t[name + ".weight"], self.t[name + ".bias"], **how)

    def norm(self, name, x):
        if not self.c["groups"]:
            return x
        return F.group_norm(x, self.c["groups"], self.t[name + ".weight"], self.t[name + ".bias"], 1e-6)

    def block(self, name, x):
        y = self.conv(name + ".conv1", F.silu(self.norm(name + ".norm1", x)), padding=1)
        y = self.conv(name + ".conv2", F.silu(self.norm(name + ".norm2", y)), padding=1)
        return y + (self.conv(name + ".nin_shortcut", x) if name + ".nin_shortcut.weight" in self.t else x)

    def attention(self, name, x):
        y = self.norm(name + ".norm", x)
        q, k, v = (self.conv(f"{name}.{part}", y).flatten(2).transpose(1, 2) for part in "qkv")
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        return x + self.conv(name + ".proj_out", y)

    def __call__(self, images):
        """(B, 3, S, S) in [-1, 1] -> (B, L) tokens."""
        c, levels = self.c, len(self.c["multipliers"])
        x = self.conv("encoder.conv_in", F.pixel_unshuffle(images, c["patch"]), padding=1)
        for level in range(levels):
            for i in range(c["encoder_blocks"]):
                x = self.block(f"encoder.down.{level}.block.{i}", x)
                if c["attention"] and level == levels - 1:
                    x = self.attention(f"encoder.down.{level}.attn.{i}", x)
            if level < levels - 1:
                x = self.conv(f"encoder.down.{level}.downsample.conv", F.pad(x, (0, 1, 0, 1)), stride=2)
        if c["middle_blocks"] > 0:
            x = self.block("encoder.mid.block_1", x)
        if c["attention"]:
            x = self.attention("encoder.mid.attn_1", x)
        if c["middle_blocks"] > 1:
            x = self.block("encoder.mid.block_2", x)
        x = self.conv("encoder.conv_out", F.silu(self.norm("encoder.norm_out", x)), padding=1)
        z = self.conv("quant_conv", x)
        if c["linear"]:
            cells = F.pixel_unshuffle(images, self.factor)
            z = z + F.conv2d(cells, self.t["linear_in.weight"][:, :, None, None], self.t["linear_in.bias"])
        rows = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        return torch.cdist(rows, self.t["quantize.embedding"]).argmin(1).view(len(images), -1)


def frame(image, size):
    image = image.convert("RGB")
    side = min(image.size)
    left, top = (image.size[0] - side) // 2, (image.size[1] - side) // 2
    return image.crop((left, top, left + side, top + side)).resize((size, size), Image.BICUBIC)


def peer(codec, paths, size, output):
    """Seconds of each part, and the tokens."""
    spent, last = dict.fromkeys(("decode", "resize", "encode", "write"), 0.0), time.perf_counter()

    def end(part):
        nonlocal last
        now = time.perf_counter()
        spent[part] += now - last
        last = now

    tokens = []
    for begin in range(0, len(paths), BATCH):
        pictures = []
        for path in paths[begin:begin + BATCH]:
            image = Image.open(path)
            image.load()
            end("decode")
            pictures.append(numpy.asarray(frame(image, size)))
            end("resize")
        x = torch.from_numpy(numpy.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
        tokens.append(codec(x).numpy().astype(numpy.uint16))
        end("encode")
    tokens = numpy.concatenate(tokens)
    numpy.savez_compressed(output, tokens=tokens, keys=[os.path.splitext(os.path.basename(p))[0] for p in paths])
    end("write")
    return spent, tokens


def ours(programs, model, folder, output, threads):
    began = time.perf_counter()
    result = subprocess.run([os.path.join(programs, "vq-encode"), "-v", "-f", "-j", str(threads), "-b", str(BATCH), "-m",
                             model, "-o", output, folder], stderr=subprocess.PIPE, text=True, check=True)
    spent = {"wall": time.perf_counter() - began}
    line = next(line for line in result.stderr.splitlines() if ": seconds: " in line)
    for part, seconds in re.findall(r"([a-z][a-z ]*?) ([0-9.]+)(?=[,;]|$)", line.split(": seconds: ")[1]):
        spent[part.split(": ")[-1]] = float(seconds)
    return spent


def make_files(folder, size, ending, count):
    """Pictures with the detail that photographs have: noise of every scale."""
    rng = numpy.random.default_rng(1)
    os.mkdir(folder)
    for i in range(count):
        total = numpy.zeros((size[1], size[0], 3))
        for octave in range(2, 8):
            small = rng.normal(size=(max(2, size[1] >> (8 - octave)), max(2, size[0] >> (8 - octave)), 3))
            for c in range(3):
                layer = Image.fromarray(small[:, :, c].astype(numpy.float32)).resize(size, Image.BICUBIC)
                total[:, :, c] += numpy.asarray(layer) * 2.0 ** (7 - octave)
        total = 127 + total * (60 / total.std())
        image = Image.fromarray(numpy.clip(total, 0, 255).astype(numpy.uint8))
        image.save(os.path.join(folder, f"{i:06}.{ending}"), **({"quality": 90} if ending == "jpg" else {}))


def tokens_of(programs, path):
    text = subprocess.run([os.path.join(programs, "vq-info"), "--text", path], capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in text.stdout.splitlines() if not line.startswith("#")]
    return {line[0]: [int(n) for n in line[2].split()] for line in lines}


def main():
    options = sides.options("encode", repeats=3)
    programs = os.path.join(options.programs, "..", "bin")
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    rows, parts_rows, records = [], [], []
    with tempfile.TemporaryDirectory() as place:
        for name, model_size, side, file_size, ending, count in CASES:
            folder, model = os.path.join(place, name), os.path.join(place, name + ".safetensors")
            make_files(folder, file_size, ending, count)
            subprocess.run([os.path.join(programs, "vq-train"), "codec", folder, "-o", model, "--size", model_size,
                            "--image-size", str(side), "--steps", "1", "-b", "32", "-q"], check=True)
            codec = Codec(model)
            paths = sorted(os.path.join(folder, f) for f in os.listdir(folder))
            output = os.path.join(place, name + ".vqt")
            theirs_runs, our_runs = [], []
            ours(programs, model, folder, output, options.threads)  # the files are in memory from here on
            for _ in range(options.repeats):
                spent, tokens = peer(codec, paths, side, os.path.join(place, "peer.npz"))
                theirs_runs.append(spent)
                our_runs.append(ours(programs, model, folder, output, options.threads))
            mine = tokens_of(programs, output)
            same = numpy.mean([numpy.mean(tokens[i] == mine[f"{i:06}"]) for i in range(count)])
            theirs = sides.median([sum(run.values()) for run in theirs_runs])
            wall = sides.median([run["wall"] for run in our_runs])
            rows.append([name, count, count / theirs, count / wall, theirs / wall, f"{100 * same:.3f} %"])
            middle = {part: sides.median([run[part] for run in our_runs]) for part in our_runs[0]}
            their_parts = {part: sides.median([run[part] for run in theirs_runs]) for part in theirs_runs[0]}
            parts_rows.append((name, their_parts, middle))
            records.append({"bench": "encode", "case": name, "pictures": count, "threads": options.threads,
                            "torch": torch.__version__, "processor": sides.processor(), "peer_seconds": their_parts,
                            "ours_seconds": middle, "ratio": theirs / wall, "same_tokens": same})
    import PIL
    print(f"pictures a second, {options.threads} threads, medians of {options.repeats}; {sides.processor()}; "
          f"Pillow {PIL.__version__}, torch {torch.__version__}\n")
    sides.print_table(["case", "pictures", "Python loop", "vq-encode", "ratio", "same tokens"], rows)
    for name, theirs, middle in parts_rows:
        print(f"\n{name}: seconds. Python loop: " + ", ".join(f"{k} {v:.2f}" for k, v in theirs.items()))
        print("vq-encode: " + ", ".join(f"{k} {v:.2f}" for k, v in middle.items()))
    sides.append_json(options.json, records)


if __name__ == "__main__":
    main()
