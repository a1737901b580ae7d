"""What the Python peers say of the same pictures with the same weights.

Weights are random: none are shipped, and equality does not depend on them. They are scaled so that
numbers keep their size from layer to layer, for else all features would be nought.
"""
import os

import numpy as np
import torch
from PIL import Image


def random_weights(path, seed):
    """pytorch-fid's own class, filled at random and saved as its .pth file is."""
    from pytorch_fid import inception

    torch.manual_seed(seed)
    with empty_download({}):
        try:
            network = inception.fid_inception_v3()
        except RuntimeError:  # an empty dictionary is not loaded: the class is built by hand
            network = build(inception)
    state = network.state_dict()
    for name, tensor in state.items():
        if name.endswith('conv.weight'):
            fan_in = tensor[0].numel()
            tensor.normal_(0, (2 / fan_in) ** 0.5)
        elif name.endswith('bn.weight'):
            tensor.uniform_(0.7, 1.3)
        elif name.endswith('bn.bias') or name.endswith('running_mean'):
            tensor.normal_(0, 0.1)
        elif name.endswith('running_var'):
            tensor.uniform_(0.7, 1.3)
        elif name == 'fc.weight':
            tensor.normal_(0, 0.05)
        elif name == 'fc.bias':
            tensor.normal_(0, 0.1)
    torch.save(state, path)
    return state


class empty_download:
    """Within it pytorch-fid gets this state instead of a file from the net."""

    def __init__(self, state):
        self.state = state

    def __enter__(self):
        from pytorch_fid import inception
        self.module, self.real = inception, inception.load_state_dict_from_url
        inception.load_state_dict_from_url = lambda *_, **__: self.state

    def __exit__(self, *_):
        self.module.load_state_dict_from_url = self.real


def build(inception):
    network = inception._inception_v3(num_classes=1008, aux_logits=False, weights=None)
    network.Mixed_5b = inception.FIDInceptionA(192, pool_features=32)
    network.Mixed_5c = inception.FIDInceptionA(256, pool_features=64)
    network.Mixed_5d = inception.FIDInceptionA(288, pool_features=64)
    network.Mixed_6b = inception.FIDInceptionC(768, channels_7x7=128)
    network.Mixed_6c = inception.FIDInceptionC(768, channels_7x7=160)
    network.Mixed_6d = inception.FIDInceptionC(768, channels_7x7=160)
    network.Mixed_6e = inception.FIDInceptionC(768, channels_7x7=192)
    network.Mixed_7b = inception.FIDInceptionE_1(1280)
    network.Mixed_7c = inception.FIDInceptionE_2(2048)
    return network


# NVIDIA's names. Each convolution holds weight, beta, mean, var; there is no gamma.
SCRIPT = {'Conv2d_1a_3x3': 'conv', 'Conv2d_2a_3x3': 'conv_1', 'Conv2d_2b_3x3': 'conv_2',
          'Conv2d_3b_1x1': 'conv_3', 'Conv2d_4a_3x3': 'conv_4'}
SCRIPT.update({f'Mixed_{m}': 'mixed' + (f'_{i}' if i else '') for i, m in enumerate(
    ['5b', '5c', '5d', '6a', '6b', '6c', '6d', '6e', '7a', '7b', '7c'])})
TOWERS = {
    '5': {'1x1': 'conv', '5x5_1': 'tower.conv', '5x5_2': 'tower.conv_1', '3x3dbl_1': 'tower_1.conv',
          '3x3dbl_2': 'tower_1.conv_1', '3x3dbl_3': 'tower_1.conv_2', '_pool': 'tower_2.conv'},
    '6a': {'3x3': 'conv', '3x3dbl_1': 'tower.conv', '3x3dbl_2': 'tower.conv_1',
           '3x3dbl_3': 'tower.conv_2'},
    '6': {'1x1': 'conv', '7x7_1': 'tower.conv', '7x7_2': 'tower.conv_1', '7x7_3': 'tower.conv_2',
          '7x7dbl_1': 'tower_1.conv', '7x7dbl_2': 'tower_1.conv_1', '7x7dbl_3': 'tower_1.conv_2',
          '7x7dbl_4': 'tower_1.conv_3', '7x7dbl_5': 'tower_1.conv_4', '_pool': 'tower_2.conv'},
    '7a': {'3x3_1': 'tower.conv', '3x3_2': 'tower.conv_1', '7x7x3_1': 'tower_1.conv',
           '7x7x3_2': 'tower_1.conv_1', '7x7x3_3': 'tower_1.conv_2', '7x7x3_4': 'tower_1.conv_3'},
    '7': {'1x1': 'conv', '3x3_1': 'tower_conv', '3x3_2a': 'tower_mixed_conv',
          '3x3_2b': 'tower_mixed_conv_1', '3x3dbl_1': 'tower_1_conv', '3x3dbl_2': 'tower_1_conv_1',
          '3x3dbl_3a': 'tower_1_mixed_conv', '3x3dbl_3b': 'tower_1_mixed_conv_1',
          '_pool': 'tower_2_conv'}}


def save_script(state, path):
    """The same numbers in a TorchScript of NVIDIA's layout. Gamma has to be 1."""
    root = torch.nn.Module()

    def put(name, tensor):
        module = root
        *steps, last = name.split('.')
        for step in steps:
            if not hasattr(module, step):
                module.add_module(step, torch.nn.Module())
            module = getattr(module, step)
        module.register_buffer(last, tensor)

    parts = {'conv.weight': 'weight', 'bn.bias': 'beta', 'bn.running_mean': 'mean',
             'bn.running_var': 'var'}
    for name, tensor in state.items():
        if name.startswith('fc.'):
            put('output.' + name[3:], tensor)
            continue
        module, rest = name.split('.', 1)
        if rest.endswith('num_batches_tracked'):
            continue
        at = 'layers.' + SCRIPT[module]
        if module.startswith('Mixed'):
            branch, rest = rest.split('.', 1)
            kind = module[6:]
            towers = TOWERS.get(kind) or TOWERS[kind[0]]
            at += '.' + towers[branch[6:]]
        if rest == 'bn.weight':
            assert bool((tensor == 1).all())
            continue
        put(at + '.' + parts[rest], tensor)

    class Script(torch.nn.Module):
        def forward(self, x):
            return x

    script = Script()
    for name, child in root.named_children():
        script.add_module(name, child)
    torch.jit.script(script).save(path)


def one(path):
    return Image.open(path).convert('RGB')


def pytorch_fid_network(state):
    from pytorch_fid.inception import InceptionV3
    with empty_download(state):
        return InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()


def features_pytorch(state, files):
    """pytorch-fid, one picture a batch, for it wants one size in a batch."""
    from pytorch_fid.fid_score import get_activations
    network = pytorch_fid_network(state)
    return np.concatenate([get_activations([f], network, batch_size=1, num_workers=0)
                           for f in files])


def features_tensorflow(weights, files):
    """torch-fidelity: features and logits without bias."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    network = FeatureExtractorInceptionV3('inception-v3-compat', ['2048', 'logits_unbiased'],
                                          feature_extractor_weights_path=weights).eval()
    features, logits = [], []
    with torch.no_grad():
        for f in files:
            x = torch.from_numpy(np.array(one(f))).permute(2, 0, 1)[None]
            a, b = network(x)
            features.append(a.numpy())
            logits.append(b.numpy())
    return np.concatenate(features), np.concatenate(logits)


def features_clean(state, files):
    """clean-fid's resizer, and the same network behind it."""
    from cleanfid.resize import build_resizer
    resize = build_resizer('clean')
    from pytorch_fid.inception import InceptionV3
    with empty_download(state):
        network = InceptionV3([3], resize_input=False, normalize_input=False).eval()
    rows = []
    with torch.no_grad():
        for f in files:
            x = torch.from_numpy(resize(np.array(one(f)))).permute(2, 0, 1)[None].float()
            rows.append(network((x - 128) / 128)[0][0, :, 0, 0].numpy())
    return np.stack(rows)


def statistics(features):
    features = features.astype(np.float64)
    return features.mean(0), np.cov(features, rowvar=False)


def draw(folder, count, seed, odd=False):
    """Smooth random pictures of many sizes; odd ones are palettes, greys, JPEGs and more."""
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        width, height = (int(n) for n in rng.integers(20, 420, 2))
        if i % 4 == 0:
            width = height = (64, 256, 299, 32)[i // 4 % 4]
        coarse = rng.integers(0, 256, (rng.integers(2, 9), rng.integers(2, 9), 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.BICUBIC)
        noise = rng.normal(0, 8, (height, width, 3))
        pixels = np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
        picture, name = Image.fromarray(pixels), os.path.join(folder, f'{i:03}')
        if odd and i % 5 == 1:
            picture.convert('L').save(name + '.png')
        elif odd and i % 5 == 2:
            picture.quantize(64).save(name + '.png')
        elif odd and i % 5 == 3:
            picture.save(name + '.jpg', quality=85)
        elif odd and i % 5 == 4:
            picture.convert('1').save(name + '.png')
        else:
            picture.save(name + '.png')
    return sorted(os.path.join(folder, n) for n in os.listdir(folder))


def save_clip_vocabulary(folder, merges):
    """vocab.json and merges.txt of CLIP's form with a few merges: bytes, bytes at a word's end, merges, two marks."""
    import json
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    letters = [chr(b) for b in printable]
    extra = [b for b in range(256) if b not in printable]
    letters += [chr(256 + i) for i in range(len(extra))]
    words = letters + [letter + '</w>' for letter in letters]
    words += [''.join(merge.split()) for merge in merges] + ['<|startoftext|>', '<|endoftext|>']
    vocabulary = {word: i for i, word in enumerate(words)}
    with open(os.path.join(folder, 'vocab.json'), 'w') as out:
        json.dump(vocabulary, out)
    with open(os.path.join(folder, 'merges.txt'), 'w') as out:
        out.write('#version: 0.2\n' + ''.join(merge + '\n' for merge in merges))
    return vocabulary


def openai_clip(state):
    """The same towers under OpenAI's names."""
    out = {}

    def layer(to, of):
        for a, b in (('ln_1', 'layer_norm1'), ('ln_2', 'layer_norm2'),
                     ('attn.out_proj', 'self_attn.out_proj'), ('mlp.c_fc', 'mlp.fc1'),
                     ('mlp.c_proj', 'mlp.fc2')):
            for part in ('weight', 'bias'):
                out[f'{to}.{a}.{part}'] = state[f'{of}.{b}.{part}']
        for part in ('weight', 'bias'):
            out[f'{to}.attn.in_proj_{part}'] = torch.cat(
                [state[f'{of}.self_attn.{which}_proj.{part}'] for which in 'qkv'])

    for tower, to, of in (('vision', 'visual.transformer', 'vision_model.encoder'),
                          ('text', 'transformer', 'text_model.encoder')):
        count = 0
        while f'{of}.layers.{count}.layer_norm1.weight' in state:
            layer(f'{to}.resblocks.{count}', f'{of}.layers.{count}')
            count += 1
    v, t = 'vision_model.', 'text_model.'
    names = {'visual.class_embedding': v + 'embeddings.class_embedding',
             'visual.conv1.weight': v + 'embeddings.patch_embedding.weight',
             'visual.positional_embedding': v + 'embeddings.position_embedding.weight',
             'visual.ln_pre.weight': v + 'pre_layrnorm.weight',
             'visual.ln_pre.bias': v + 'pre_layrnorm.bias',
             'visual.ln_post.weight': v + 'post_layernorm.weight',
             'visual.ln_post.bias': v + 'post_layernorm.bias',
             'token_embedding.weight': t + 'embeddings.token_embedding.weight',
             'positional_embedding': t + 'embeddings.position_embedding.weight',
             'ln_final.weight': t + 'final_layer_norm.weight',
             'ln_final.bias': t + 'final_layer_norm.bias'}
    for to, of in names.items():
        out[to] = state[of]
    out['visual.proj'] = state['visual_projection.weight'].t().contiguous()
    out['text_projection'] = state['text_projection.weight'].t().contiguous()
    return out
