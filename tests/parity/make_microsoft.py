"""Makes checkpoints in the layout of microsoft/VQ-Diffusion, tiny and with random weights, and what their
networks compute.

The arithmetic is written down here from its description, block by block, in plain PyTorch and float32, and
shares no code with the original or with ours.

  python make_microsoft.py OUT [--seed N] [--width D] [--merges FILE]

OUT gets one .pth a checkpoint, microsoft.json (what they are, which options their import needs) and
refs.safetensors. --merges is CLIP's vocabulary (merges.txt); without it there is no checkpoint with captions.
"""

import argparse
import json
import math
import os
from collections import OrderedDict

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

T = 100  # diffusion steps
GROUPS = 4


def normal(*shape, std=0.3):
    return torch.randn(*shape) * std


class Weights:
    """A state dict that is filled as a network is described."""

    def __init__(self):
        self.tensors = OrderedDict()

    def linear(self, name, rows, columns, *kernel):
        self.tensors[name + ".weight"] = normal(rows, columns, *kernel, std=1 / math.sqrt(columns))
        self.tensors[name + ".bias"] = normal(rows, std=0.1)

    def norm(self, name, width):
        self.tensors[name + ".weight"] = 1 + normal(width, std=0.1)
        self.tensors[name + ".bias"] = normal(width, std=0.1)

    def table(self, name, rows, width):
        self.tensors[name + ".weight"] = normal(rows, width)

    def adaptive_norm(self, name, rows, width):
        self.table(name + ".emb", rows, width)
        self.linear(name + ".linear", 2 * width, width)

    def under(self, prefix):
        return OrderedDict((prefix + name, t) for name, t in self.tensors.items())


# ---- the denoiser


def make_denoiser(kind, layers, width, codes, rows, context, positions=32):
    w = Weights()
    w.table("transformer.content_emb.emb", codes + 1, width)
    w.table("transformer.content_emb.height_emb", positions, width)
    w.table("transformer.content_emb.width_emb", positions, width)
    for i in range(layers):
        b = f"transformer.blocks.{i}."
        w.adaptive_norm(b + "ln1", T, width)
        if kind == "label":
            w.adaptive_norm(b + "ln2", rows, width)
        else:
            w.norm(b + "ln2", width)
        for part in ("key", "query", "value", "proj"):
            w.linear(b + ("attn1." if kind == "caption" else "attn.") + part, width, width)
        if kind == "caption":
            for part in ("key", "value"):
                w.linear(b + "attn2." + part, width, context)
            for part in ("query", "proj"):
                w.linear(b + "attn2." + part, width, width)
            w.tensors[b + "attn2.mask"] = torch.ones(positions**2, positions**2).tril()[None, None]
            w.adaptive_norm(b + "ln1_1", T, width)
            w.linear(b + "mlp.0", 4 * width, width)
            w.linear(b + "mlp.2", width, 4 * width)
        else:
            w.linear(b + "mlp.conv1", 4 * width, width, 3, 3)
            w.linear(b + "mlp.conv2", width, 4 * width, 3, 3)
    w.norm("transformer.to_logits.0", width)
    w.linear("transformer.to_logits.1", codes, width)
    return w


def schedule_buffers(codes):
    """Cumulated logarithms with the identity last, as float32."""
    a = torch.linspace(0.99999, 0.000009, T, dtype=torch.float64)
    c = torch.linspace(0.000009, 0.99999, T, dtype=torch.float64)
    before = torch.cat([torch.ones(1, dtype=torch.float64), a[:-1]])
    unmasked = 1 - torch.cat([torch.zeros(1, dtype=torch.float64), c[:-1]])
    one_a, one_c = a / before, 1 - (1 - c) / unmasked
    whole = {
        "log_at": one_a, "log_ct": one_c, "log_bt": (1 - one_a - one_c) / codes, "log_1_min_ct": 1 - one_c,
        "log_cumprod_at": torch.cat([a, torch.ones(1)]),
        "log_cumprod_ct": torch.cat([c, torch.zeros(1)]),
        "log_cumprod_bt": torch.cat([(1 - a - c) / codes, torch.zeros(1)]),
        "log_1_min_cumprod_ct": torch.cat([1 - c, torch.ones(1)]),
    }
    buffers = OrderedDict((name, value.double().log().float()) for name, value in whole.items())
    buffers["Lt_history"], buffers["Lt_count"] = torch.rand(T), torch.ones(T)
    return buffers


def gelu2(x):
    return x * torch.sigmoid(1.702 * x)


def linear(w, name, x):
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def layer_norm(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], 1e-5)


def adaptive_norm(w, name, x, index):
    table = w[name + ".emb.weight"]
    rows = torch.stack([table[i] if i < len(table) else table.mean(0) for i in index.tolist()])
    scale, shift = linear(w, name + ".linear", F.silu(rows)).unsqueeze(1).chunk(2, dim=2)
    return F.layer_norm(x, x.shape[-1:], eps=1e-5) * (1 + scale) + shift


def attention(w, name, x, context, heads):
    def split(y):
        return y.reshape(y.shape[0], y.shape[1], heads, -1).transpose(1, 2)

    q = split(linear(w, name + ".query", x))
    k, v = split(linear(w, name + ".key", context)), split(linear(w, name + ".value", context))
    y = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), dim=3) @ v
    return linear(w, name + ".proj", y.transpose(1, 2).reshape(x.shape))


def denoise(w, kind, heads, grid, x_t, t, label=None, context=None):
    side = w["transformer.content_emb.width_emb.weight"].shape[0]
    place = torch.arange(x_t.shape[1])
    x = w["transformer.content_emb.emb.weight"][x_t]
    x = x + w["transformer.content_emb.height_emb.weight"][place // side]
    x = x + w["transformer.content_emb.width_emb.weight"][place % side]
    i = 0
    while f"transformer.blocks.{i}.ln1.emb.weight" in w:
        b = f"transformer.blocks.{i}."
        y = adaptive_norm(w, b + "ln1", x, t)
        x = x + attention(w, b + ("attn1" if kind == "caption" else "attn"), y, y, heads)
        if kind == "caption":
            x = x + attention(w, b + "attn2", adaptive_norm(w, b + "ln1_1", x, t), context, heads)
        y = adaptive_norm(w, b + "ln2", x, label) if kind == "label" else layer_norm(w, b + "ln2", x)
        if kind == "caption":
            y = linear(w, b + "mlp.2", gelu2(linear(w, b + "mlp.0", y)))
        else:
            y = y.transpose(1, 2).reshape(y.shape[0], -1, *grid)
            for conv, end in (("conv1", gelu2), ("conv2", lambda z: z)):
                name = b + "mlp." + conv
                y = end(F.conv2d(y, w[name + ".weight"], w[name + ".bias"], padding=1))
            y = y.flatten(2).transpose(1, 2)
        x = x + y
        i += 1
    return linear(w, "transformer.to_logits.1", layer_norm(w, "transformer.to_logits.0", x))


# ---- the codec


def make_codec(quantiser, channels, multipliers, latent, code_width, codes):
    w = Weights()

    def conv(name, rows, columns, kernel):
        w.tensors[name + ".weight"] = normal(rows, columns, kernel, kernel, std=0.7 / (kernel * math.sqrt(columns)))
        w.tensors[name + ".bias"] = normal(rows, std=0.1)

    def residual(name, before, after):
        w.norm(name + ".norm1", before)
        conv(name + ".conv1", after, before, 3)
        w.norm(name + ".norm2", after)
        conv(name + ".conv2", after, after, 3)
        if before != after:
            conv(name + ".nin_shortcut", after, before, 1)

    def attend(name, width):
        w.norm(name + ".norm", width)
        for part in ("q", "k", "v", "proj_out"):
            conv(name + "." + part, width, width, 1)

    def middle(name, width):
        residual(name + ".block_1", width, width)
        attend(name + ".attn_1", width)
        residual(name + ".block_2", width, width)

    widths, last = [channels * m for m in multipliers], len(multipliers) - 1
    conv("encoder.conv_in", channels, 3, 3)
    width = channels
    for level, after in enumerate(widths):
        for block in range(2):
            residual(f"encoder.down.{level}.block.{block}", width, after)
            width = after
            if level == last:
                attend(f"encoder.down.{level}.attn.{block}", width)
        if level != last:
            conv(f"encoder.down.{level}.downsample.conv", width, width, 3)
    middle("encoder.mid", width)
    w.norm("encoder.norm_out", width)
    conv("encoder.conv_out", latent, width, 3)
    conv("decoder.conv_in", width, latent, 3)
    middle("decoder.mid", width)
    for level in range(last, -1, -1):
        for block in range(3):
            residual(f"decoder.up.{level}.block.{block}", width, widths[level])
            width = widths[level]
            if level == last:
                attend(f"decoder.up.{level}.attn.{block}", width)
        if level > 0:
            conv(f"decoder.up.{level}.upsample.conv", width, width, 3)
    w.norm("decoder.norm_out", width)
    conv("decoder.conv_out", 3, width, 3)
    conv("quant_conv", code_width, latent, 1)
    conv("post_quant_conv", latent, code_width, 1)
    if quantiser == "gumbel":
        conv("quantize.proj", codes, code_width, 1)
        w.tensors["quantize.embed.weight"] = normal(codes, code_width)
    elif quantiser == "average":
        w.tensors["quantize.embedding"] = normal(codes, code_width)
        w.tensors["quantize.cluster_size"] = torch.rand(codes)
        w.tensors["quantize.embedding_avg"] = normal(codes, code_width)
    else:
        w.tensors["quantize.embedding.weight"] = normal(codes, code_width)
    return w


def convolve(w, name, x, **how):
    return F.conv2d(x, w[name + ".weight"], w[name + ".bias"], **how)


def group_norm(w, name, x):
    return F.group_norm(x, GROUPS, w[name + ".weight"], w[name + ".bias"], 1e-6)


def residual(w, name, x):
    y = convolve(w, name + ".conv1", F.silu(group_norm(w, name + ".norm1", x)), padding=1)
    y = convolve(w, name + ".conv2", F.silu(group_norm(w, name + ".norm2", y)), padding=1)
    return y + (convolve(w, name + ".nin_shortcut", x) if name + ".nin_shortcut.weight" in w else x)


def attend(w, name, x):
    if name + ".norm.weight" not in w:
        return x
    y = group_norm(w, name + ".norm", x)
    q, k, v = (convolve(w, name + "." + part, y).flatten(2) for part in "qkv")
    scores = torch.softmax(q.transpose(1, 2) @ k / math.sqrt(q.shape[1]), dim=2)
    return x + convolve(w, name + ".proj_out", (v @ scores.transpose(1, 2)).reshape(x.shape))


def middle(w, name, x):
    return residual(w, name + ".block_2", attend(w, name + ".attn_1", residual(w, name + ".block_1", x)))


def latent_of(w, images):
    x = convolve(w, "encoder.conv_in", images, padding=1)
    level = 0
    while f"encoder.down.{level}.block.0.conv1.weight" in w:
        for block in range(2):
            x = residual(w, f"encoder.down.{level}.block.{block}", x)
            x = attend(w, f"encoder.down.{level}.attn.{block}", x)
        down = f"encoder.down.{level}.downsample.conv"
        if down + ".weight" in w:
            x = convolve(w, down, F.pad(x, (0, 1, 0, 1)), stride=2)
        level += 1
    x = F.silu(group_norm(w, "encoder.norm_out", middle(w, "encoder.mid", x)))
    return convolve(w, "quant_conv", convolve(w, "encoder.conv_out", x, padding=1))


def codebook(w):
    for name in ("quantize.embedding.weight", "quantize.embedding", "quantize.embed.weight"):
        if name in w:
            return w[name]


def encode(w, images, token_of_code=None):
    z = latent_of(w, images)
    if "quantize.proj.weight" in w:
        codes = convolve(w, "quantize.proj", z).argmax(1)
    else:
        codes = torch.cdist(z.permute(0, 2, 3, 1).flatten(0, 2).double(), codebook(w).double()).argmin(1)
        codes = codes.view(z.shape[0], z.shape[2], z.shape[3])
    tokens = codes.flatten(1)
    return tokens if token_of_code is None else token_of_code[tokens]


def decode(w, tokens, grid, token_of_code=None):
    codes = tokens
    if token_of_code is not None:  # the first code that becomes each token
        first = torch.tensor([int((token_of_code == n).nonzero()[0]) for n in range(int(token_of_code.max()) + 1)])
        codes = first[tokens]
    x = codebook(w)[codes].view(tokens.shape[0], *grid, -1).permute(0, 3, 1, 2)
    x = middle(w, "decoder.mid", convolve(w, "decoder.conv_in", convolve(w, "post_quant_conv", x), padding=1))
    level = 0
    while f"decoder.up.{level + 1}.block.0.conv1.weight" in w:
        level += 1
    for level in range(level, -1, -1):
        for block in range(3):
            x = residual(w, f"decoder.up.{level}.block.{block}", x)
            x = attend(w, f"decoder.up.{level}.attn.{block}", x)
        if level > 0:
            x = convolve(w, f"decoder.up.{level}.upsample.conv", F.interpolate(x, scale_factor=2.0), padding=1)
    return convolve(w, "decoder.conv_out", F.silu(group_norm(w, "decoder.norm_out", x)), padding=1).clamp(-1, 1)


def subset_of(codes, tokens):
    """Token of each code: tokens 1.. once each in increasing order, 0 for code 0 and all that are not used."""
    table = torch.zeros(codes, dtype=torch.int64)
    used = torch.randperm(codes - 1)[: tokens - 1].sort().values + 1
    table[used] = torch.arange(1, tokens)
    return table


def in_main_file(codec):
    named = OrderedDict()
    for name, tensor in codec.items():
        half = "dec." if name.startswith(("decoder.", "post_quant_conv.")) else "enc."
        named["content_codec." + half + name] = tensor
        if name.startswith("quantize."):
            named["content_codec.dec." + name] = tensor  # one storage, two names
    return named


# ---- CLIP's text tower in OpenAI's layout


def make_tower(width, layers, vocabulary):
    w = Weights()
    w.tensors["token_embedding.weight"] = normal(vocabulary, width)
    w.tensors["positional_embedding"] = normal(77, width)
    w.tensors["text_projection"] = normal(width, width).half()
    w.norm("ln_final", width)
    for i in range(layers):
        b = f"transformer.resblocks.{i}."
        for part, rows, columns in (("attn.in_proj", 3 * width, width), ("attn.out_proj", width, width),
                                    ("mlp.c_fc", 4 * width, width), ("mlp.c_proj", width, 4 * width)):
            join = "_" if part.endswith("in_proj") else "."
            w.tensors[b + part + join + "weight"] = normal(rows, columns, std=1 / math.sqrt(columns)).half()
            w.tensors[b + part + join + "bias"] = normal(rows, std=0.1).half()
        w.norm(b + "ln_1", width)
        w.norm(b + "ln_2", width)
    return w


# ---- checkpoints


class Fixture:
    def __init__(self, out, width):
        self.out, self.width, self.heads = out, width, 4
        self.entries, self.refs = [], {}
        os.makedirs(out, exist_ok=True)

    def save(self, name, content):
        torch.save(content, os.path.join(self.out, name + ".pth"))

    def add(self, name, **what):
        self.entries.append({"name": name, **what})

    def codec_refs(self, name, codec, grid, factor, subset=None):
        images = torch.rand(2, 3, grid[0] * factor, grid[1] * factor) * 2 - 1
        tokens = torch.randint(int(subset.max()) + 1 if subset is not None else len(codebook(codec)), (2, grid[0] * grid[1]))
        self.refs[name + ".codec.images"] = images
        self.refs[name + ".codec.encoded"] = encode(codec, images, subset)
        self.refs[name + ".codec.tokens"] = tokens
        self.refs[name + ".codec.decoded"] = decode(codec, tokens, grid, subset)

    def model_refs(self, name, w, kind, grid, codes, label=None, context=None):
        x_t, t = torch.randint(codes + 1, (3, grid[0] * grid[1])), torch.tensor([99, 37, 0])
        self.refs[name + ".x_t"], self.refs[name + ".t"] = x_t, t
        if label is not None:
            self.refs[name + ".label"] = label
        if context is not None:
            self.refs[name + ".context"] = context
        self.refs[name + ".log_p"] = torch.log_softmax(denoise(w, kind, self.heads, grid, x_t, t, label, context).double(), 2).float()

    def model(self, name, kind, codec, subset=None, rows=0, average=True, tower=None, merges=None, **more):
        codes = int(subset.max()) + 1 if subset is not None else len(codebook(codec))
        positions = 8 if kind == "caption" else 32
        grid = (positions, positions) if kind == "caption" else (16, 16)
        context = tower.tensors["token_embedding.weight"].shape[1] if tower else 0
        own = make_denoiser(kind, 2, self.width, codes, rows, context, positions)
        buffers = schedule_buffers(codes)
        if tower:
            buffers["empty_text_embed"] = torch.randn(77, context, dtype=torch.float64)
            buffers.update(tower.under("condition_emb."))
        state = OrderedDict(in_main_file(codec))
        state.update(Weights.under(own, "transformer."))
        state.update(("transformer." + n, t) for n, t in buffers.items())
        content = {"last_epoch": 3, "last_iter": 40, "model": state}
        used = own.tensors
        if average:
            used = OrderedDict((n, t if n.endswith("mask") else t + normal(*t.shape, std=0.02)) for n, t in used.items())
            content["ema"] = OrderedDict([*used.items(), *buffers.items()])
            parameter = torch.nn.Parameter(torch.zeros(4))
            training = torch.optim.AdamW([parameter])
            parameter.grad = torch.ones(4)
            training.step()
            content["optimizer_and_scheduler"] = {"none": {"optimizer": {"module": training.state_dict()}}}
            content["clip_grad_norm"] = {"max_norm": 0.5, "start_iteration": 0}
        self.save(name, content)
        options = {"heads": self.heads, "groups": GROUPS, "text_heads": 2 if tower else 0, **more}
        label = torch.tensor([0, 4, 10 if kind == "label" else 0]) if kind == "label" else None
        features = normal(3, 77, context, std=1) if tower else None
        self.model_refs(name, used, kind, grid, codes, label, features)
        self.refs[name + ".alpha_bar"] = torch.linspace(0.99999, 0.000009, T, dtype=torch.float64)
        if average:
            self.model_refs(name + ".raw", own.tensors, kind, grid, codes, label, features)
        if tower:
            self.refs[name + ".null"] = buffers["empty_text_embed"].float()
            options["vocabulary"] = merges
        factor = 4 if kind == "label" else 2
        self.codec_refs(name, codec, grid, factor, subset)
        self.add(name, kind=kind, average=average, grid=list(grid), options=options, has_model=True)

    def codec(self, name, codec, content, factor):
        self.save(name, content)
        self.codec_refs(name, codec, (8, 8), factor)
        self.add(name, kind="codec", average=False, grid=[8, 8], options={"groups": GROUPS}, has_model=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--merges")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    fixture = Fixture(args.out, args.width)
    with torch.no_grad():
        f4 = make_codec("nearest", 8, (1, 2, 2), 12, 12, 40).tensors
        subset = subset_of(40, 23)
        fixture.save("subset", subset)
        for name, rows, null, average in (("class_learned", 11, "learned", True), ("class_mean", 10, "mean", False)):
            fixture.model(name, "label", f4, subset, rows=rows, average=average, null=null, code_subset="subset.pth")
        f2 = make_codec("nearest", 8, (1, 2), 12, 12, 32).tensors
        fixture.model("unconditional", "none", f2)
        if args.merges:
            gumbel = make_codec("gumbel", 8, (1, 2), 12, 12, 40).tensors
            fixture.save("gumbel_subset", subset_of(40, 29))
            table = torch.load(os.path.join(args.out, "gumbel_subset.pth"))
            fixture.model("captions", "caption", gumbel, table, tower=make_tower(16, 2, 49408),
                          merges=os.path.abspath(args.merges), code_subset="gumbel_subset.pth")
        loss = OrderedDict([("loss.perceptual_loss.lin0.model.1.weight", normal(1, 4, 1, 1))])
        net2net = OrderedDict(("first_stage_model." + n, t) for n, t in f2.items())
        net2net["transformer.tok_emb.weight"] = normal(4, 4)
        fixture.codec("first_stage", f2, {"state_dict": net2net}, 2)
        fixture.codec("vqgan", f4, {"state_dict": OrderedDict([*f4.items(), *loss.items()]), "global_step": 7}, 4)
        average = make_codec("average", 8, (1, 2), 12, 6, 32).tensors
        fixture.codec("patch", average, {"model": average}, 2)
        gumbel = make_codec("gumbel", 8, (1, 2), 12, 12, 40).tensors
        fixture.codec("gumbel", gumbel, {"state_dict": gumbel}, 2)
    refs = {name: tensor.contiguous().clone() for name, tensor in fixture.refs.items()}
    save_file(refs, os.path.join(args.out, "refs.safetensors"))
    with open(os.path.join(args.out, "microsoft.json"), "w") as file:
        json.dump({"seed": args.seed, "checkpoints": fixture.entries}, file, indent=1)


if __name__ == "__main__":
    main()
