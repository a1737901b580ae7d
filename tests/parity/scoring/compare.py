"""vq-eval beside the Python peers: prints each difference and its tolerance, status 1 beyond one.

compare.py BIN WORK: where the programs are, and a folder for pictures and weights.
"""
import json
import os
import subprocess
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import peers
from pictures import resize

BIN, WORK = sys.argv[1], sys.argv[2]
COUNT = int(os.environ.get('VQ_PARITY_PICTURES', '24'))
failed = []


def say(what, difference, tolerance):
    fine = bool(difference <= tolerance)
    print(f'{"ok    " if fine else "FAILED"} {what}: {difference:.3g} (at most {tolerance:g})',
          flush=True)
    if not fine:
        failed.append(what)


def vq_eval(*arguments):
    done = subprocess.run([os.path.join(BIN, 'vq-eval'), '-q', *arguments], check=True,
                          stdout=subprocess.PIPE, text=True)
    return {line['metric']: line for line in map(json.loads, done.stdout.splitlines())}


def relative(a, b):
    return abs(a - b) / max(abs(b), 1e-12)


def statistics_of(name, network, folder, mode):
    path = os.path.join(WORK, name + '.npz')
    subprocess.run([os.path.join(BIN, 'vq-eval'), '-q', '-f', '--save-stats', path, '--network',
                    network, '--fid-mode', mode, folder], check=True)
    return path, np.load(path)


def compare_inception():
    from prdc import compute_prdc
    from pytorch_fid.fid_score import calculate_frechet_distance
    from torch_fidelity.metric_fid import fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric

    weights = os.path.join(WORK, 'pt_inception-random.pth')
    state = peers.random_weights(weights, 7)
    real_folder, fake_folder = os.path.join(WORK, 'real'), os.path.join(WORK, 'fake')
    real_files = peers.draw(real_folder, COUNT, 1, odd=True)
    fake_files = peers.draw(fake_folder, COUNT, 2)

    logits = None
    for mode in ('clean', 'pytorch', 'tensorflow'):
        theirs = []
        for files in (real_files, fake_files):
            if mode == 'clean':
                theirs.append(peers.features_clean(state, files))
            elif mode == 'pytorch':
                theirs.append(peers.features_pytorch(state, files))
            else:
                features, logits = peers.features_tensorflow(weights, files)
                theirs.append(features)
        real_path, real = statistics_of('real-' + mode, weights, real_folder, mode)
        fake_path, fake = statistics_of('fake-' + mode, weights, fake_folder, mode)
        scale = np.abs(theirs[0]).mean()
        for name, ours, other in (('real', real, theirs[0]), ('fake', fake, theirs[1])):
            say(f'{mode}: features of {name} pictures, of a mean of {scale:.3g}',
                np.abs(ours['features'] - other).max() / scale, 1e-4)
            mu, sigma = peers.statistics(other)
            say(f'{mode}: mu of {name}', np.abs(ours['mu'] - mu).max() / scale, 1e-4)
            say(f'{mode}: sigma of {name}',
                np.abs(ours['sigma'] - sigma).max() / np.abs(sigma).max(), 1e-4)
        result = vq_eval('--network', weights, '--fid-mode', mode, '--metrics',
                         'fid,kid,is,prdc', '--neighbours', '3', real_folder, fake_folder)
        saved = vq_eval('--network', weights, '--fid-mode', mode, '--metrics', 'fid,kid,prdc',
                        '--neighbours', '3', real_path, fake_path)
        for metric in saved:
            say(f'{mode}: {metric} of saved statistics',
                relative(saved[metric]['value'], result[metric]['value']), 1e-9)
        (mu1, s1), (mu2, s2) = (peers.statistics(x) for x in theirs)
        if mode == 'tensorflow':
            fid = fid_statistics_to_metric({'mu': mu1, 'sigma': s1}, {'mu': mu2, 'sigma': s2},
                                           False)['frechet_inception_distance']
        else:
            fid = calculate_frechet_distance(mu1, s1, mu2, s2)
        say(f'{mode}: fid {fid:.6g}', relative(result['fid']['value'], fid), 1e-3)
        kid = kid_features_to_metric(torch.from_numpy(theirs[0]), torch.from_numpy(theirs[1]),
                                     kid_subsets=2, kid_subset_size=COUNT, rng_seed=1, verbose=False,
                                     kid_kernel='poly', kid_kernel_poly_degree=3,
                                     kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1)
        kid = kid['kernel_inception_distance_mean']
        say(f'{mode}: kid {kid:.6g}', relative(result['kid']['value'], kid), 1e-3)
        other = compute_prdc(theirs[0], theirs[1], nearest_k=3)
        for name, value in other.items():
            say(f'{mode}: {name} {value:.4g}', abs(result[name]['value'] - value), 1e-9)

        if mode == 'tensorflow':
            # Ours puts picture i into split i mod 10; theirs takes runs of an order.
            whole = COUNT // 10 * 10
            order = np.concatenate([np.arange(s, whole, 10) for s in range(10)])
            if whole == COUNT:
                score = isc_features_to_metric(torch.from_numpy(logits[order]), 10, False)
                say(f'is {score["inception_score_mean"]:.6g}',
                    relative(result['is']['value'], score['inception_score_mean']), 1e-5)
                say('is: deviation', relative(result['is']['deviation'],
                                              score['inception_score_std']), 1e-4)

    # The other layout of the same numbers: the same features and the same identity.
    for name in state:
        if name.endswith('bn.weight'):
            state[name].fill_(1)
    torch.save(state, weights)
    script = os.path.join(WORK, 'inception-random.pt')
    peers.save_script(state, script)
    one, two = (statistics_of('layout', w, real_folder, 'tensorflow')[1] for w in (weights, script))
    say("NVIDIA's layout: features", np.abs(one['features'] - two['features']).max(), 0)
    say("NVIDIA's layout: identity", float(bytes(one['vq']) != bytes(two['vq'])), 0)

    # Statistics that pytorch-fid writes are a side.
    np.savez(os.path.join(WORK, 'theirs.npz'), mu=mu1, sigma=s1)


def compare_statistics_of_others():
    """fid of files that pytorch-fid and ADM write, without count or network."""
    rng = np.random.default_rng(3)
    paths = []
    for name, save in (('a', np.savez), ('b', np.savez_compressed)):
        x = rng.normal(0, 1, (3000, 2048)) * rng.uniform(0.1, 1, 2048)
        path = os.path.join(WORK, name + '.npz')
        save(path, mu=x.mean(0), sigma=np.cov(x, rowvar=False))
        paths.append(path)
    from pytorch_fid.fid_score import calculate_frechet_distance
    a, b = (np.load(p) for p in paths)
    fid = calculate_frechet_distance(a['mu'], a['sigma'], b['mu'], b['sigma'])
    result = vq_eval('--network', os.path.join(WORK, 'pt_inception-random.pth'), *paths)
    say(f'fid of two files of 2048 numbers, {fid:.6g}', relative(result['fid']['value'], fid), 1e-6)


def compare_reconstruction():
    from PIL import Image
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity
    rng = np.random.default_rng(5)
    folders = [os.path.join(WORK, name) for name in ('before', 'after')]
    for folder in folders:
        os.makedirs(folder, exist_ok=True)
    psnr, ssim = [], []
    for i in range(8):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        a = np.asarray(coarse.resize((64, 64), Image.BICUBIC))
        b = np.clip(a + rng.normal(0, 3 + 4 * i, a.shape), 0, 255).astype(np.uint8)
        for folder, pixels in zip(folders, (a, b)):
            Image.fromarray(pixels).save(os.path.join(folder, f'{i}.png'))
        psnr.append(peak_signal_noise_ratio(a, b, data_range=255))
        ssim.append(structural_similarity(a, b, data_range=255, channel_axis=2,
                                          gaussian_weights=True, sigma=1.5,
                                          use_sample_covariance=False))
    result = vq_eval('--metrics', 'recon', '--size', '64', *folders)['recon']
    say(f'psnr {np.mean(psnr):.5g} dB', abs(result['value'] - np.mean(psnr)), 1e-4)
    say(f'ssim {np.mean(ssim):.5g}', abs(result['ssim'] - np.mean(ssim)), 1e-6)


def compare_lpips():
    """The package's heads on random networks, each of its three, one file as torch.save writes it."""
    import warnings

    import lpips
    rng = np.random.default_rng(6)
    folders = [os.path.join(WORK, name) for name in ('one', 'other')]
    pairs = []
    from PIL import Image
    for i in range(5):
        coarse = Image.fromarray(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8))
        a = np.asarray(coarse.resize((72, 72), Image.BICUBIC))
        b = np.clip(a + rng.normal(0, 2 + 8 * i, a.shape), 0, 255).astype(np.uint8)
        for folder, pixels in zip(folders, (a, b)):
            os.makedirs(folder, exist_ok=True)
            Image.fromarray(pixels).save(os.path.join(folder, f'{i}.png'))
        pairs.append([torch.tensor(p).permute(2, 0, 1)[None] / 127.5 - 1 for p in (a, b)])
    for kind in ('alex', 'vgg', 'squeeze'):
        torch.manual_seed(8)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            network = lpips.LPIPS(net=kind, pnet_rand=True, verbose=False).eval()
        weights = os.path.join(WORK, f'lpips-{kind}.pth')
        torch.save(network.state_dict(), weights)
        with torch.no_grad():
            theirs = np.mean([network(*pair).item() for pair in pairs])
        ours = vq_eval('--metrics', 'lpips', '--lpips', weights, '--size', '72', *folders)['lpips']
        say(f'lpips {kind} {theirs:.5g}', relative(ours['value'], theirs), 1e-4)


def compare_giqa():
    """Mixtures and nearest neighbours on features that both sides know."""
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture
    from sklearn.neighbors import NearestNeighbors
    rng = np.random.default_rng(11)
    centres = rng.normal(0, 6, (4, 12))
    spread = rng.normal(0, 1, (12, 12)) * np.linspace(1.5, 0.05, 12)

    def draw(count):
        return (centres[rng.integers(0, 4, count)] + rng.normal(0, 1, (count, 12)) @ spread)

    real, fake = draw(1500).astype(np.float32), draw(1000).astype(np.float32)
    paths = []
    for name, x in (('real12', real), ('fake12', fake)):
        path = os.path.join(WORK, name + '.npz')
        mu, sigma = peers.statistics(x)
        np.savez(path, mu=mu, sigma=sigma, features=x, count=np.int64(len(x)))
        paths.append(path)
    result = vq_eval('--network', os.path.join(WORK, 'pt_inception-random.pth'), '--metrics',
                     'qs,ds', '--components', '4', '--neighbours', '5', *paths)
    held = np.arange(len(real)) % 5 == 4
    fitted = real[~held].astype(np.float64)
    pca = PCA(0.95, svd_solver='full').fit(fitted)
    say(f'giqa: dimensions {pca.n_components_}',
        abs(result['qs']['dimensions'] - pca.n_components_), 0)
    low = pca.transform(fitted)
    gmm = GaussianMixture(4, covariance_type='full', random_state=0, n_init=3).fit(low)
    scores = gmm.score_samples(pca.transform(fake))
    say(f'giqa: log likelihood {scores.mean():.6g}',
        relative(result['qs']['gmm'], scores.mean()), 1e-3)
    held_out = pca.transform(real[held])
    lower = gmm.score_samples(held_out)[None, :] < scores[:, None]
    rank = lower.mean(1)
    say(f'giqa: rank among all {rank.mean():.4f}', abs(result['qs']['among_all'] - rank.mean()),
        2e-3)
    # Among the same kind, where the vector's rank among all counts as one more held-out vector.
    kinds, own = gmm.predict_proba(held_out), gmm.predict_proba(pca.transform(fake))
    rank = ((lower @ kinds + rank[:, None]) / (kinds.sum(0) + 1) * own).sum(1).mean()
    say(f'giqa: rank {rank:.4f}', abs(result['qs']['value'] - rank), 2e-3)
    distance = NearestNeighbors(n_neighbors=5, p=1).fit(low).kneighbors(pca.transform(fake))[0]
    knn = (1 / (distance + 1e-6)).sum(1).mean()
    say(f'giqa: nearest neighbours {knn:.6g}', relative(result['qs']['knn'], knn), 1e-5)
    shares = [gmm.predict_proba(pca.transform(x)).mean(0) for x in (real, fake)]
    value = 1 - np.abs(shares[0] - shares[1]).sum() / 2
    say(f'ds {value:.4f}', abs(result['ds']['value'] - value), 2e-3)


def compare_clip():
    """Random towers in both layouts, captions and pictures of all shapes."""
    from PIL import Image
    from transformers import (CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTextConfig,
                              CLIPTokenizer, CLIPVisionConfig)
    merges = ['r e', 're d</w>', 'b i', 'bi r', 'bir d</w>']
    folder = os.path.join(WORK, 'clip')
    os.makedirs(folder, exist_ok=True)
    vocabulary = peers.save_clip_vocabulary(folder, merges)
    torch.manual_seed(5)
    size, last = 64, len(vocabulary) - 1
    text = CLIPTextConfig(vocab_size=len(vocabulary), hidden_size=64, intermediate_size=128,
                          num_hidden_layers=2, num_attention_heads=1, max_position_embeddings=20,
                          bos_token_id=last - 1, eos_token_id=last, projection_dim=32)
    vision = CLIPVisionConfig(hidden_size=128, intermediate_size=256, num_hidden_layers=2,
                              num_attention_heads=2, image_size=size, patch_size=32,
                              projection_dim=32)
    model = CLIPModel(CLIPConfig.from_text_vision_configs(text, vision, projection_dim=32)).eval()
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter) * 0.05
    from safetensors.torch import save_file
    weights = os.path.join(folder, 'model.safetensors')
    save_file({k: v.contiguous() for k, v in model.state_dict().items()
               if not k.endswith('position_ids')}, weights)
    openai = os.path.join(folder, 'openai.pth')
    torch.save(peers.openai_clip(model.state_dict()), openai)

    pictures = os.path.join(folder, 'pictures')
    files = peers.draw(pictures, 12, 9)
    captions = ['a red bird', 'bird, red', 'A  RED bird!', 'two birds in a tree', 'x', 'red',
                'it is a very long caption about many birds and many trees', '1999 birds', "bird's",
                'blue', 'red red red', 'the bird']
    with open(os.path.join(pictures, 'captions.jsonl'), 'w') as lines:
        for f, caption in zip(files, captions):
            lines.write(json.dumps({'image': os.path.basename(f), 'caption': caption}) + '\n')
    listed = os.path.join(pictures, 'captions.jsonl')
    tokenizer = CLIPTokenizer(os.path.join(folder, 'vocab.json'), os.path.join(folder, 'merges.txt'))
    processor = CLIPImageProcessor(do_resize=False, do_center_crop=False)

    def prepared(file):
        """Resized across first and then down, as Pillow did up to 12; cropped as OpenAI's program (torchvision) does,
        half a pixel to the even side, which transformers' own crop leaves out."""
        image = peers.one(file)
        wanted = [size * side // min(image.size) for side in image.size]
        pixels = processor(resize(image, wanted), return_tensors='pt')['pixel_values']
        top, left = (int(round((side - size) / 2)) for side in pixels.shape[2:])
        return pixels[:, :, top:top + size, left:left + size]

    def vectors(texts):
        ids = tokenizer(texts, padding='max_length', max_length=20, truncation=True,
                        return_tensors='pt')
        return torch.nn.functional.normalize(model.get_text_features(**ids), dim=1)

    with torch.no_grad():
        images = torch.cat([prepared(f) for f in files])
        images = torch.nn.functional.normalize(model.get_image_features(images), dim=1)
        cosine = (images * vectors(captions)).sum(1)
        prefixed = (images * vectors(['A photo depicts ' + c for c in captions])).sum(1)
    for layout, path in (('Hugging Face', weights), ('OpenAI', openai)):
        result = vq_eval('--metrics', 'clip', '--clip', path, '--clip-merges',
                         os.path.join(folder, 'merges.txt'), listed)['clip']
        say(f"clip in {layout}'s layout: cosine {cosine.mean():.4f}",
            abs(result['value'] - cosine.mean().item()), 1e-6)
        score = 2.5 * prefixed.clamp(min=0).mean().item()
        say(f'clip: clipscore {score:.4f}', abs(result['clipscore'] - score), 1e-6)


compare_clip()
compare_inception()
compare_statistics_of_others()
compare_reconstruction()
compare_lpips()
compare_giqa()
print(f'{len(failed)} beyond its tolerance' if failed else 'all within their tolerances')
sys.exit(bool(failed))
