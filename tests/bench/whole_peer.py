"""The peer of whole.py, each time as a process of its own: a VQ-Diffusion pipeline of diffusers.

  python whole_peer.py make SIZE FOLDER                            random weights, written by save_pretrained
  python whole_peer.py run FOLDER DTYPE THREADS BEGAN [STEPS OUT]  loads it; with STEPS also draws a picture into OUT

`run` prints a line of JSON: seconds since BEGAN (time.monotonic) until everything was imported, seconds of from_pretrained
alone and, of a picture, seconds of the pipeline's call and of saving.
"""

import json
import os
import sys
import time

PROMPT, GUIDANCE, TOP_P = "a small red bird", 5.0, 0.86

# The codec: channels of its levels, layers of each, channels of the latent, numbers in a code. Grids of 32 x 32 have that
# of the largest released one (ITHQ), 256 x 256 pixels; 16 x 16 a small one, 64 x 64.
CODECS = {16: ((32, 64, 64), 1, 64, 32), 32: ((64, 128, 256, 512), 2, 256, 128)}
# The text tower: layers, heads. 512 wide as in every size of step.py; 12 and 8 are CLIP's ViT-B/32.
TOWERS = {"tiny": (2, 8), "base": (12, 8), "large": (12, 8)}


def make_vocabulary(folder):
    """CLIP's is nobody's to carry along; any merges of as many pieces cost the same. Here: pairs of bytes."""
    letters = [chr(b) for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    letters += [chr(256 + i) for i in range(256 - len(letters))]
    merges = [f"{a} {b}" for a in letters for b in letters][: 49152 - 256 - 2]
    path = os.path.join(folder, "pairs.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(["#version: 0.2", *merges]) + "\n")
    return path


def make(size, folder):
    import torch
    from diffusers import Transformer2DModel, VQDiffusionPipeline, VQDiffusionScheduler, VQModel
    from diffusers.pipelines.deprecated.vq_diffusion.pipeline_vq_diffusion import LearnedClassifierFreeSamplingEmbeddings
    from transformers import CLIPTextConfig, CLIPTextModel

    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "parity"))
    from make_diffusers import clip_vocabulary, randomise
    from step import SIZES, TIMESTEPS

    torch.manual_seed(1)
    torch.set_grad_enabled(False)
    layers, heads, width, side, codes = SIZES[size]
    os.makedirs(folder)
    tokenizer = clip_vocabulary(folder, make_vocabulary(folder))
    channels, codec_layers, latent, code_width = CODECS[side]
    levels = len(channels)
    codec = VQModel(
        down_block_types=("DownEncoderBlock2D",) * (levels - 1) + ("AttnDownEncoderBlock2D",),
        up_block_types=("AttnUpDecoderBlock2D",) + ("UpDecoderBlock2D",) * (levels - 1), block_out_channels=channels,
        layers_per_block=codec_layers, latent_channels=latent, num_vq_embeddings=codes, norm_num_groups=32,
        vq_embed_dim=code_width)
    transformer = Transformer2DModel(
        num_attention_heads=heads, attention_head_dim=width, num_layers=layers, attention_bias=True,
        cross_attention_dim=512, num_vector_embeds=codes + 1, sample_size=side, num_embeds_ada_norm=TIMESTEPS,
        activation_fn="geglu-approximate", norm_type="ada_norm")
    text_layers, text_heads = TOWERS[size]
    tower = CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=512, intermediate_size=2048, num_hidden_layers=text_layers,
        num_attention_heads=text_heads, hidden_act="quick_gelu", projection_dim=512, bos_token_id=len(tokenizer) - 2,
        eos_token_id=len(tokenizer) - 1))
    null = LearnedClassifierFreeSamplingEmbeddings(learnable=True, hidden_size=512, length=77)
    for module in (codec, transformer, tower, null):
        randomise(module)
    pipeline = VQDiffusionPipeline(
        vqvae=codec.eval(), text_encoder=tower.eval(), tokenizer=tokenizer, transformer=transformer.eval(),
        scheduler=VQDiffusionScheduler(num_vec_classes=codes + 1, num_train_timesteps=TIMESTEPS),
        learned_classifier_free_sampling_embeddings=null)
    pipeline.save_pretrained(os.path.join(folder, "pipeline"))
    for name in ("pairs.txt", "merges.txt", "vocab.json"):
        os.remove(os.path.join(folder, name))


def run(folder, dtype, threads, began, steps=None, out=None):
    import accelerate  # noqa: F401 without it weights are drawn at random before they are loaded
    import diffusers
    import torch
    import transformers
    from diffusers import Transformer2DModel, VQDiffusionPipeline, VQDiffusionScheduler, VQModel  # noqa: F401
    from diffusers.pipelines.deprecated.vq_diffusion.pipeline_vq_diffusion import LearnedClassifierFreeSamplingEmbeddings
    from transformers import CLIPTextModel, CLIPTokenizer  # noqa: F401 the pipeline would import them while it loads

    imported = time.monotonic()
    # Its index of the pipeline says that this class is there, and it is not.
    diffusers.LearnedClassifierFreeSamplingEmbeddings = LearnedClassifierFreeSamplingEmbeddings
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    torch.set_num_threads(int(threads))
    pipeline = VQDiffusionPipeline.from_pretrained(
        folder, torch_dtype={"bf16": torch.bfloat16, "fp32": torch.float32}[dtype])
    pipeline.set_progress_bar_config(disable=True)
    loaded = time.monotonic()
    said = {"import_s": imported - float(began), "load_s": loaded - imported, "diffusers": diffusers.__version__,
            "torch": torch.__version__}
    if steps is not None:
        if dtype == "bf16":  # the pipeline hands the pixels to numpy, which knows no bf16
            decode = pipeline.vqvae.decode

            def decode_to_float(*arguments, **words):
                decoded = decode(*arguments, **words)
                decoded.sample = decoded.sample.float()
                return decoded

            pipeline.vqvae.decode = decode_to_float
        picture = pipeline(PROMPT, num_inference_steps=int(steps), guidance_scale=GUIDANCE, truncation_rate=TOP_P,
                           generator=torch.Generator().manual_seed(1)).images[0]
        drawn = time.monotonic()
        picture.save(out)
        said.update(call_s=drawn - loaded, save_s=time.monotonic() - drawn)
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    {"make": make, "run": run}[sys.argv[1]](*sys.argv[2:])
