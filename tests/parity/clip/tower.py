"""A CLIP text tower of the released size with random weights, and its features by the peers.

    python tower.py OUT

OUT gets config.json and model.safetensors as transformers saves a CLIPTextModel, and
refs.safetensors: ids (B, 77); 12.fp32, transformers' last hidden state divided by its norms; 12.fp16,
the same as the released VQ-Diffusion code computes: embeddings, layer norms and their weights in single
precision, every linear layer and what passes between operations in half; 1.fp32 and 1.fp16, the same
with the first layer alone.
"""
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

OUT = sys.argv[1]
torch.manual_seed(11)
torch.set_grad_enabled(False)

config = CLIPTextConfig(vocab_size=49408, hidden_size=512, intermediate_size=2048, num_hidden_layers=12,
                        num_attention_heads=8, max_position_embeddings=77, hidden_act="quick_gelu",
                        layer_norm_eps=1e-5, projection_dim=512, bos_token_id=49406, eos_token_id=49407)
model = CLIPTextModel(config).eval()
for name, weight in model.named_parameters():  # as a fresh model has them, attention is flat and biases are zero
    if name.endswith("bias"):
        weight.normal_(0, 0.05)
    elif "norm" in name:
        weight.normal_(1, 0.2)
    elif "_proj" in name or "fc" in name:
        weight.mul_(2)
model.save_pretrained(OUT)

ids = torch.zeros(4, 77, dtype=torch.long)
for row, words in enumerate((0, 5, 30, 75)):
    ids[row, 0] = 49406
    ids[row, 1:1 + words] = torch.randint(0, 49406, (words,))
    ids[row, 1 + words] = 49407

def half_linear(x, layer):
    return F.linear(x, layer.weight.half(), layer.bias.half())


def norm(x, layer):
    return F.layer_norm(x.float(), (512,), layer.weight, layer.bias, 1e-5).half()


def unit(x):
    return (x / x.norm(dim=-1, keepdim=True)).float().contiguous()


text = model.text_model
x = text.embeddings.token_embedding(ids).half() + text.embeddings.position_embedding.weight.half()
mask = torch.full((77, 77), float("-inf")).triu(1).half()
refs = {"ids": ids}
states = model(input_ids=ids, output_hidden_states=True).hidden_states
for number, layer in enumerate(text.encoder.layers, 1):
    y = norm(x, layer.layer_norm1)
    a = layer.self_attn
    q, k, v = (half_linear(y, p).view(4, 77, 8, 64).transpose(1, 2) for p in (a.q_proj, a.k_proj, a.v_proj))
    heard = ((q * 64 ** -0.5) @ k.transpose(2, 3) + mask).softmax(-1) @ v
    x = x + half_linear(heard.transpose(1, 2).reshape(4, 77, 512), a.out_proj)
    y = half_linear(norm(x, layer.layer_norm2), layer.mlp.fc1)
    x = x + half_linear(y * torch.sigmoid(1.702 * y), layer.mlp.fc2)
    if number in (1, 12):
        refs[f"{number}.fp16"] = unit(norm(x, text.final_layer_norm))
        refs[f"{number}.fp32"] = unit(text.final_layer_norm(states[number]))
assert torch.equal(refs["12.fp32"], unit(model(input_ids=ids).last_hidden_state))
save_file(refs, OUT + "/refs.safetensors")
