"""Checkpoints of other people in miniature, as safetensors, with random weights and no library but Python's own.

  python3 import_sources.py        writes them into the current folder

taming.safetensors is a codec (2 x 2 pixels a token, 16 codes, norms of 2 groups), taming.pth the same as PyTorch would
save it; checkpoint.safetensors holds a model of three classes over 16 x 16 tokens (2 heads) and that codec; captions.safetensors a model of captions without CLIP's text
tower, which tower.safetensors is, with merges.txt for its vocabulary.
"""

import collections
import io
import json
import pickle
import random
import struct
import sys
import types
import zipfile

DRAW = random.Random(1)


def tensor(*shape, spread=0.5):
    count = 1
    for side in shape:
        count *= side
    return shape, struct.pack(f"<{count}f", *(DRAW.gauss(0, spread) for _ in range(count)))


def write(path, tensors):
    header, at = {}, 0
    for name, (shape, content) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, content in tensors.values():
            file.write(content)


class Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


class Tensor:
    def __init__(self, storage, shape):
        strides = []
        for i in range(len(shape)):
            step = 1
            for side in shape[i + 1 :]:
                step *= side
            strides.append(step)
        self.arguments = (storage, 0, tuple(shape), tuple(strides), False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


def write_torch(path, tensors):
    """The archive that torch.save writes: its pickle names functions, which need not be there to be named."""
    for name in ("torch", "torch._utils"):
        sys.modules[name] = types.ModuleType(name)
    for module, name in (("torch._utils", "_rebuild_tensor_v2"), ("torch", "FloatStorage")):
        named = types.FunctionType((lambda *a: None).__code__, {}, name)
        named.__module__, named.__qualname__ = module, name
        setattr(sys.modules[module], name, named)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                return ("storage", sys.modules["torch"].FloatStorage, value.key, "cpu", value.count)

    storages, state = {}, collections.OrderedDict()
    for name, (shape, content) in tensors.items():
        key = str(len(storages))
        storages[key] = content
        state[name] = Tensor(Storage(key, len(content) // 4), shape)
    values = io.BytesIO()
    Pickler(values, protocol=2).dump({"state_dict": state, "global_step": 12})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", values.getvalue())
        for key, content in storages.items():
            archive.writestr("archive/data/" + key, content)
        archive.writestr("archive/version", "3\n")


class Network(dict):
    def pair(self, name, shape, width):
        self[name + ".weight"], self[name + ".bias"] = tensor(*shape), tensor(width, spread=0.1)

    def norm(self, name, width):
        self.pair(name, [width], width)

    def linear(self, name, after, before):
        self.pair(name, [after, before], after)

    def conv(self, name, after, before, kernel):
        self.pair(name, [after, before, kernel, kernel], after)

    def adaptive(self, name, rows, width):
        self[name + ".emb.weight"] = tensor(rows, width)
        self.linear(name + ".linear", 2 * width, width)

    def residual(self, name, before, after):
        self.norm(name + ".norm1", before)
        self.conv(name + ".conv1", after, before, 3)
        self.norm(name + ".norm2", after)
        self.conv(name + ".conv2", after, after, 3)
        if before != after:
            self.conv(name + ".nin_shortcut", after, before, 1)

    def attention(self, name, width):
        self.norm(name + ".norm", width)
        for part in ("q", "k", "v", "proj_out"):
            self.conv(name + "." + part, width, width, 1)

    def middle(self, name, width):
        self.residual(name + ".block_1", width, width)
        self.attention(name + ".attn_1", width)
        self.residual(name + ".block_2", width, width)


def codec():
    net = Network()
    net.conv("encoder.conv_in", 2, 3, 3)
    for level, (before, after) in enumerate(((2, 2), (2, 4))):
        for block in range(2):
            net.residual(f"encoder.down.{level}.block.{block}", before if block == 0 else after, after)
            if level == 1:
                net.attention(f"encoder.down.1.attn.{block}", 4)
    net.conv("encoder.down.0.downsample.conv", 2, 2, 3)
    net.middle("encoder.mid", 4)
    net.norm("encoder.norm_out", 4)
    net.conv("encoder.conv_out", 4, 4, 3)
    net.conv("decoder.conv_in", 4, 4, 3)
    net.middle("decoder.mid", 4)
    for level, (before, after) in ((1, (4, 4)), (0, (4, 2))):
        for block in range(3):
            net.residual(f"decoder.up.{level}.block.{block}", before if block == 0 else after, after)
            if level == 1:
                net.attention(f"decoder.up.1.attn.{block}", 4)
    net.conv("decoder.up.1.upsample.conv", 4, 4, 3)
    net.norm("decoder.norm_out", 2)
    net.conv("decoder.conv_out", 3, 2, 3)
    net.conv("quant_conv", 4, 4, 1)
    net.conv("post_quant_conv", 4, 4, 1)
    net["quantize.embedding.weight"] = tensor(16, 4)
    return net


def denoiser():
    net, width = Network(), 8
    net["content_emb.emb.weight"] = tensor(17, width)
    net["content_emb.height_emb.weight"] = tensor(32, width)
    net["content_emb.width_emb.weight"] = tensor(32, width)
    net.adaptive("blocks.0.ln1", 100, width)
    net.adaptive("blocks.0.ln2", 4, width)
    for part in ("key", "query", "value", "proj"):
        net.linear("blocks.0.attn." + part, width, width)
    net.conv("blocks.0.mlp.conv1", 4 * width, width, 3)
    net.conv("blocks.0.mlp.conv2", width, 4 * width, 3)
    net.norm("to_logits.0", width)
    net.linear("to_logits.1", 16, width)
    return net


def captions():
    """A denoiser of captions over 4 x 4 tokens, which holds no text tower: four heads, features of 64."""
    net, width = Network(), 8
    net["content_emb.emb.weight"] = tensor(17, width)
    net["content_emb.height_emb.weight"], net["content_emb.width_emb.weight"] = tensor(4, width), tensor(4, width)
    net.adaptive("blocks.0.ln1", 100, width)
    net.adaptive("blocks.0.ln1_1", 100, width)
    net.norm("blocks.0.ln2", width)
    for part in ("key", "query", "value", "proj"):
        net.linear("blocks.0.attn1." + part, width, width)
        net.linear("blocks.0.attn2." + part, width, 64 if part in ("key", "value") else width)
    net.linear("blocks.0.mlp.0", 4 * width, width)
    net.linear("blocks.0.mlp.2", width, 4 * width)
    net.norm("to_logits.0", width)
    net.linear("to_logits.1", 16, width)
    return net


def tower():
    """CLIP's text tower as transformers names it, for a vocabulary of two merges."""
    net, width = Network(), 64
    net["embeddings.token_embedding.weight"] = tensor(512 + 2 + 2, width)
    net["embeddings.position_embedding.weight"] = tensor(12, width)
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        net.linear("encoder.layers.0.self_attn." + part, width, width)
    net.linear("encoder.layers.0.mlp.fc1", 2 * width, width)
    net.linear("encoder.layers.0.mlp.fc2", width, 2 * width)
    for name in ("encoder.layers.0.layer_norm1", "encoder.layers.0.layer_norm2", "final_layer_norm"):
        net.norm(name, width)
    return {"text_model." + name: value for name, value in net.items()}


taming = codec()
write("taming.safetensors", taming)
write_torch("taming.pth", taming)
checkpoint = {"ema.transformer." + name: value for name, value in denoiser().items()}
for name, value in taming.items():
    half = "dec." if name.startswith(("decoder.", "post_quant_conv.")) else "enc."
    checkpoint["model.content_codec." + half + name] = value
write("checkpoint.safetensors", checkpoint)
write("captions.safetensors", {"ema.transformer." + name: value for name, value in captions().items()})
write("tower.safetensors", tower())
with open("merges.txt", "w") as file:
    file.write("#version: 0.2\nr e\nre d</w>\n")
