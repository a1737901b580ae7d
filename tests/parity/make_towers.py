"""Makes CLIP text towers with random weights in every form they are published in, and what they compute.

  python make_towers.py OUT --merges FILE

OUT gets bare.pth, a checkpoint of microsoft/VQ-Diffusion that holds no tower; a tower a file or folder; vocabularies;
towers.json (which they are) and refs.safetensors. --merges is CLIP's merges.txt.

OpenAI's form is a TorchScript archive of a CLIP in half precision with both towers; its text half is written here from
its description, on torch.nn.MultiheadAttention, and traced. The others are saved by transformers.
"""

import argparse
import gzip
import json
import os
import shutil

import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel

import make_diffusers
import make_microsoft

VOCABULARY, LENGTH, WIDTH, LAYERS = 49408, 77, 128, 3
# Without what transformers reads otherwise where ftfy is not installed; clip/run.sh asks the original.
CAPTIONS = ["teddy bear playing in the pool", "It's 2022, \\o/ a cafe; isn't it?", "", "a bird " * 60]


def randomise(module):
    for name, weight in module.named_parameters():
        if weight.dim() > 1:
            weight.copy_(torch.randn_like(weight) * weight[0].numel() ** -0.5)
        else:
            weight.copy_(torch.randn_like(weight) * 0.1 + (name.endswith("weight") and weight.dim() == 1))


class Norm(torch.nn.LayerNorm):
    """Computes in single precision, whatever it is given."""

    def forward(self, x):
        return torch.nn.functional.layer_norm(x.float(), self.normalized_shape, self.weight, self.bias, self.eps).type(x.dtype)


class QuickGelu(torch.nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(torch.nn.Module):
    def __init__(self, width, heads, mask):
        super().__init__()
        self.attn = torch.nn.MultiheadAttention(width, heads)
        self.ln_1, self.ln_2 = Norm(width), Norm(width)
        self.mlp = torch.nn.Sequential()
        self.mlp.add_module("c_fc", torch.nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", QuickGelu())
        self.mlp.add_module("c_proj", torch.nn.Linear(4 * width, width))
        self.attn_mask = mask

    def forward(self, x):
        mask = None if self.attn_mask is None else self.attn_mask.to(x.dtype)
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(torch.nn.Module):
    def __init__(self, width, heads, layers, mask=None):
        super().__init__()
        self.resblocks = torch.nn.Sequential(*(Block(width, heads, mask) for _ in range(layers)))

    def forward(self, x):
        return self.resblocks(x)


class Picture(torch.nn.Module):
    """The other half, of which nothing is wanted but its names."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, width, 4, 4, bias=False)
        self.class_embedding = torch.nn.Parameter(torch.zeros(width))
        self.positional_embedding = torch.nn.Parameter(torch.zeros(5, width))
        self.ln_pre, self.ln_post = Norm(width), Norm(width)
        self.transformer = Transformer(width, 1, 1)
        self.proj = torch.nn.Parameter(torch.zeros(width, 8))

    def forward(self, image):
        x = self.conv1(image).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(x.dtype) + torch.zeros_like(x[:, :1])
        x = self.ln_pre(torch.cat([first, x], 1) + self.positional_embedding.to(x.dtype))
        return self.ln_post(self.transformer(x.transpose(0, 1))[0]) @ self.proj


class OpenAi(torch.nn.Module):
    def __init__(self):
        super().__init__()
        mask = torch.full((LENGTH, LENGTH), float("-inf")).triu(1)
        self.visual = Picture(64)
        self.transformer = Transformer(WIDTH, WIDTH // 64, LAYERS, mask)
        self.token_embedding = torch.nn.Embedding(VOCABULARY, WIDTH)
        self.positional_embedding = torch.nn.Parameter(torch.zeros(LENGTH, WIDTH))
        self.ln_final = Norm(WIDTH)
        self.text_projection = torch.nn.Parameter(torch.zeros(WIDTH, 8))
        self.logit_scale = torch.nn.Parameter(torch.ones([]))
        for name, value in (("input_resolution", 8), ("context_length", LENGTH), ("vocab_size", VOCABULARY)):
            self.register_buffer(name, torch.tensor(value))

    def type_of(self):
        return self.visual.conv1.weight.dtype

    def last(self, ids):
        x = self.token_embedding(ids).type(self.type_of()) + self.positional_embedding.type(self.type_of())
        return self.ln_final(self.transformer(x.transpose(0, 1)).transpose(0, 1))

    def encode_text(self, ids):
        x = self.last(ids)
        return x[torch.arange(x.shape[0]), ids.argmax(dim=-1)] @ self.text_projection

    def encode_image(self, image):
        return self.visual(image.type(self.type_of()))

    def forward(self, image, ids):
        return self.encode_image(image), self.encode_text(ids)

    def halve(self):
        """As theirs is published: everything but embeddings and norms."""
        for module in self.modules():
            if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
                module.half()
            if isinstance(module, torch.nn.MultiheadAttention):
                module.in_proj_weight.data, module.in_proj_bias.data = module.in_proj_weight.half(), module.in_proj_bias.half()
        self.text_projection.data, self.visual.proj.data = self.text_projection.half(), self.visual.proj.half()


def unit(x):
    return (x / x.norm(dim=-1, keepdim=True)).float().contiguous()


class Towers:
    def __init__(self, out, ids):
        self.out, self.ids, self.list, self.refs = out, ids, [], {"ids": ids}

    def add(self, file, features, half=None, **options):
        self.list.append({"file": file, "half": half is not None, "options": options})
        self.refs[file] = features
        if half is not None:
            self.refs[file + ".half"] = half

    def transformers(self, folder, model, **how):
        model.save_pretrained(os.path.join(self.out, folder), **how)
        text = model.text_model if hasattr(model, "text_model") else model
        features = unit(text(input_ids=self.ids).last_hidden_state)
        self.add(folder, features)
        return features


def text_config(heads, **more):
    return CLIPTextConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=LAYERS,
                          num_attention_heads=heads, max_position_embeddings=LENGTH, hidden_act="quick_gelu", **more)


def make_openai(towers):
    model = OpenAi().eval()
    randomise(model)
    model.halve()
    half = unit(model.last(towers.ids))
    image = torch.zeros(1, 3, 8, 8)
    traced = torch.jit.trace_module(model, {"forward": (image, towers.ids), "encode_text": towers.ids, "encode_image": image})
    traced.save(os.path.join(towers.out, "openai.pt"))
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, os.path.join(towers.out, "openai.safetensors"))
    whole = unit(model.float().last(towers.ids))
    towers.add("openai.pt", whole, half)
    towers.add("openai.safetensors", whole, half)


def make_transformers(towers):
    model = CLIPTextModel(text_config(WIDTH // 64)).eval()
    randomise(model)
    features = towers.transformers("text_model", model)
    towers.transformers("text_pickled", model, safe_serialization=False)
    shutil.copy(os.path.join(towers.out, "text_model", "model.safetensors"), os.path.join(towers.out, "lone.safetensors"))
    towers.add("lone.safetensors", features)
    shutil.copy(os.path.join(towers.out, "text_pickled", "pytorch_model.bin"), os.path.join(towers.out, "lone.bin"))
    towers.add("lone.bin", features)
    # Heads that the width does not tell: by the configuration, and by an option for a file alone.
    model = CLIPTextModel(text_config(8)).eval()
    randomise(model)
    features = towers.transformers("eight_heads", model)
    towers.add("eight_heads/model.safetensors", features)
    shutil.copy(os.path.join(towers.out, "eight_heads", "model.safetensors"), os.path.join(towers.out, "eight.safetensors"))
    towers.add("eight.safetensors", features, text_heads=8)
    # Both towers, as CLIP is published.
    pictures = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
                "image_size": 8, "patch_size": 4}
    config = CLIPConfig(text_config=text_config(4).to_dict(), vision_config=pictures, projection_dim=8)
    model = CLIPModel(config).eval()
    randomise(model)
    towers.transformers("clip_model", model)


def make_vocabularies(out, merges):
    """The same merges in every form, and the ids that transformers makes of captions."""
    tokenizer = make_diffusers.clip_vocabulary(os.path.join(out, "tokenizer"), merges)
    with open(os.path.join(out, "tokenizer", "merges.txt"), encoding="utf-8") as file:
        lines = file.read().split("\n")[1:]
    # The published file goes on behind the merges that the vocabulary has.
    text = '"bpe_simple_vocab_16e6.txt#version: 0.2\n' + "\n".join(lines) + "more merges\nthan are</w>\nused</w>\n"
    with open(os.path.join(out, "vocabulary.txt"), "w", encoding="utf-8") as file:
        file.write(text)
    with gzip.open(os.path.join(out, "vocabulary.txt.gz"), "wt", encoding="utf-8") as file:
        file.write(text)
    rows = torch.zeros(len(CAPTIONS), LENGTH, dtype=torch.int64)
    for row, caption in zip(rows, CAPTIONS):
        ids = tokenizer(caption).input_ids
        ids = ids[: LENGTH - 1] + ids[-1:] if len(ids) > LENGTH else ids
        row[: len(ids)] = torch.tensor(ids)
    return rows


def make_bare(out):
    codes, positions = 20, 4
    network = make_microsoft.make_denoiser("caption", 1, 32, codes, 0, WIDTH, positions)
    state = network.under("transformer.")
    state.update(("transformer." + name, t) for name, t in make_microsoft.schedule_buffers(codes).items())
    torch.save({"last_epoch": 1, "model": state}, os.path.join(out, "bare.pth"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--merges", required=True)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    torch.manual_seed(9)
    with torch.no_grad():
        make_bare(args.out)
        towers = Towers(args.out, make_vocabularies(args.out, args.merges))
        make_openai(towers)
        make_transformers(towers)
    save_file({name: t.contiguous().clone() for name, t in towers.refs.items()}, os.path.join(args.out, "refs.safetensors"))
    with open(os.path.join(args.out, "towers.json"), "w") as file:
        json.dump({"captions": CAPTIONS, "towers": towers.list, "heads": 4,
                   "vocabularies": ["tokenizer", "tokenizer/merges.txt", "vocabulary.txt", "vocabulary.txt.gz"]}, file, indent=1)


if __name__ == "__main__":
    main()
