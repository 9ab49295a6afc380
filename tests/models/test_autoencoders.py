"""Tests that autoencoders learn, report both terms of their loss apart, are restored to the bit, and refuse in sentences."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.models import VAE, Autoencoder, DenoisingAutoencoder
from catalase.models.autoencoder import Corruption, kl_from_normal
from tests.reference.gradients import directional

RNG = np.random.default_rng(0)
PLANE = (RNG.standard_normal((300, 2)) @ RNG.standard_normal((2, 12)) / 2).astype(np.float32)  # two numbers explain it
DIGITS = RNG.random((30, 9, 7)).astype(np.float32)
ROWS = ct.data.NumpyDataset(PLANE)
KINDS = [Autoencoder, DenoisingAutoencoder, VAE]


def small(kind=VAE, **options):
    return kind(**{"n_features": 12, "latent_size": 2, "layer_sizes": [16], "learning_rate": 0.01, "seed": 0} | options)


@pytest.mark.parametrize("kind", KINDS)
def test_two_numbers_are_enough_for_rows_of_a_plane(kind):
    model = small(
        kind, **({"corruption": 0.0} if kind is DenoisingAutoencoder else {"beta": 0.01} if kind is VAE else {})
    )
    model.fit(ROWS, nb_epoch=150)
    assert np.mean((model.predict(PLANE) - PLANE) ** 2) < 0.1 * PLANE.var()
    assert np.array_equal(model.decode(model.encode(PLANE)), model.predict(PLANE))
    rms = model.evaluate(ROWS, ct.metrics.Metric(ct.metrics.rms_score))["rms_score"]
    each = np.sqrt(((model.predict(PLANE) - PLANE).astype(np.float64) ** 2).mean(axis=0)).mean()
    assert np.isclose(rms, each, rtol=1e-4)


def test_the_divergence_is_that_of_the_formula_and_has_its_gradient():
    mean, log_variance = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 3))
    found = kl_from_normal(ct.Tensor(mean), ct.Tensor(log_variance)).item()
    variance = np.exp(log_variance)
    assert np.isclose(found, 0.5 * (mean**2 + variance - 1 - np.log(variance)).sum(axis=1).mean(), rtol=1e-12)
    x, y = (ct.Tensor(a, requires_grad=True) for a in (mean, log_variance))
    kl_from_normal(x, y).backward()
    value = lambda a, b: kl_from_normal(ct.Tensor(a), ct.Tensor(b)).item()  # noqa: E731
    slope, claimed = directional(value, [mean, log_variance], [x.grad, y.grad], np.random.default_rng(1))
    assert np.isclose(slope, claimed, rtol=1e-5)
    draws = mean[0] + np.sqrt(variance[0]) * RNG.standard_normal((200_000, 3))
    density = -0.5 * ((draws - mean[0]) ** 2 / variance[0] + log_variance[0]).sum(axis=1)
    measured = (density + 0.5 * (draws**2).sum(axis=1)).mean()
    one = kl_from_normal(ct.Tensor(mean[:1]), ct.Tensor(log_variance[:1])).item()
    assert abs(one - measured) < 0.03 * measured


@pytest.mark.parametrize(("reconstruction", "X"), [("gaussian", PLANE), ("binary", (PLANE > 0).astype(np.float32))])
def test_the_history_has_both_terms_apart(reconstruction, X):
    model = small(reconstruction=reconstruction, beta=0.5)
    data = ct.data.NumpyDataset(X)
    history = model.fit(data, nb_epoch=3, valid=data)
    for prefix in ("", "valid_"):
        whole = np.add(history[prefix + "reconstruction"], 0.5 * np.array(history[prefix + "kl"]))
        assert np.allclose(history[prefix + "loss"], whole, rtol=1e-5)
    mean, std = model.encode_distribution(X)
    assert np.array_equal(mean, model.encode(X)) and np.all(std > 0)
    kl = 0.5 * (mean**2 + std**2 - 1 - 2 * np.log(std)).sum(axis=1).mean()
    assert np.isclose(history["valid_kl"][-1], kl, rtol=1e-4)
    out = model.predict(X).astype(np.float64)
    if reconstruction == "binary":
        assert out.min() >= 0 and out.max() <= 1
        error = -(X * np.log(out) + (1 - X) * np.log1p(-out)).sum(axis=1).mean()
    else:
        error = 0.5 * ((out - X) ** 2).sum(axis=1).mean()
    assert np.isclose(history["valid_reconstruction"][-1], error, rtol=1e-4)


def test_annealing_goes_on_in_a_later_fit_and_after_loading(tmp_path):
    model = small(beta=2.0, annealing_epochs=4)
    history = model.fit(ROWS, nb_epoch=2)
    model.save(tmp_path / "m")
    for again in (model, ct.models.load(tmp_path / "m")):
        later = again.fit(ROWS, nb_epoch=4)
        figures = [history.epochs[0], history.epochs[1], *later.epochs]
        betas = [(f["loss"] - f["reconstruction"]) / f["kl"] for f in figures]
        assert np.allclose(betas, [0, 0.5, 1, 1.5, 2, 2], atol=1e-3)


def test_new_rows_follow_the_seed_and_not_their_number():
    model = small()
    model.fit(ROWS, nb_epoch=2)
    rows = model.sample(7, seed=3)
    assert rows.shape == (7, 12) and np.array_equal(model.sample(4, seed=3), rows[:4])
    assert not np.array_equal(model.sample(7, seed=4), rows) and model.sample(0).shape == (0, 12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("images", [False, True])
def test_same_seed_same_bits_for_any_number_of_threads_and_after_loading(kind, images, tmp_path):
    shape = {"n_features": (9, 7, 1), "layer_filters": [3, 5], "reconstruction": "binary"} if images else {}
    X = DIGITS if images else PLANE
    found = []
    for threads in (1, 2):
        ct.set_num_threads(threads)
        model = small(kind, **shape)
        model.fit(ct.data.NumpyDataset(X), nb_epoch=2)
        found.append(model.predict(X))
    ct.set_num_threads(1)
    assert np.array_equal(*found) and found[0].shape == ((30, 9, 7, 1) if images else PLANE.shape)
    model.save(tmp_path / "m")
    again = ct.models.load(tmp_path / "m")
    assert type(again) is kind and np.array_equal(again.predict(X), found[0])
    assert np.array_equal(again.decode(again.encode(X)), model.decode(model.encode(X)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_training_gives_the_bits_of_one_that_was_not_stopped(kind, tmp_path):
    whole, first, second = (small(kind, **({"annealing_epochs": 3} if kind is VAE else {})) for _ in range(3))
    whole.fit(ROWS, nb_epoch=4)
    first.fit(ROWS, nb_epoch=2, callbacks=ct.train.Checkpoint(tmp_path / "c"))
    second.fit(ROWS, nb_epoch=4, callbacks=ct.train.Checkpoint(tmp_path / "d"), resume=tmp_path / "c")
    assert np.array_equal(whole.predict(PLANE), second.predict(PLANE))


def test_a_denoising_autoencoder_takes_noise_away():
    noisy = PLANE + 0.5 * np.random.default_rng(1).standard_normal(PLANE.shape).astype(np.float32)
    model = small(DenoisingAutoencoder, latent_size=4, corruption=0.0, noise_stddev=0.5)
    model.fit(ROWS, nb_epoch=150)
    assert np.mean((model.predict(noisy) - PLANE) ** 2) < 0.5 * np.mean((noisy - PLANE) ** 2)


def test_corruption_spoils_the_share_and_by_the_deviation_that_it_says():
    layer = Corruption(0.3, 0.5)
    layer.set_key(1, 0)
    x = ct.Tensor(np.full((200, 100), 2.0, np.float32))
    first, second = layer(x).numpy(), layer(x).numpy()
    assert abs((first == 0).mean() - 0.3) < 0.02 and not np.array_equal(first, second)
    assert abs(first[first != 0].std() - 0.5) < 0.02 and abs(first[first != 0].mean() - 2) < 0.02
    layer.set_key(1, 0)
    assert np.array_equal(layer(x).numpy(), first) and layer.eval()(x) is x


def test_bytes_are_images_or_packed_bits():
    pixels = (DIGITS * 255).astype(np.uint8)
    model = Autoencoder((9, 7, 1), 2, layer_sizes=[8], reconstruction="binary", seed=0)
    model.fit(ct.data.NumpyDataset(pixels), nb_epoch=1)
    assert np.allclose(model.predict(pixels), model.predict(pixels[..., None].astype(np.float32) / 255))
    bits = (RNG.random((40, 64)) < 0.2).astype(np.float32)
    packed = np.packbits(bits.astype(bool), axis=1, bitorder="little")
    one, other = (VAE(64, 2, [8], reconstruction="binary", seed=0) for _ in range(2))
    one.fit(ct.data.NumpyDataset(bits), nb_epoch=2)
    other.fit(ct.data.NumpyDataset(packed), nb_epoch=2)
    assert np.array_equal(one.encode(bits), other.encode(packed))


def test_labels_are_not_looked_at():
    one, other = small(), small()
    one.fit(ROWS, nb_epoch=2)
    other.fit(ct.data.NumpyDataset(PLANE, np.full((300, 1), np.nan), tasks=["pIC50"]), nb_epoch=2)
    assert np.array_equal(one.encode(PLANE), other.encode(PLANE)) and other.tasks is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("images", [False, True])
def test_a_file_of_onnx_reconstructs_as_the_model_does(kind, images, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    shape = {"n_features": (9, 7, 1), "layer_filters": [3, 5], "reconstruction": "binary"} if images else {}
    X = DIGITS[..., None] if images else PLANE
    model = small(kind, **shape)
    model.fit(ct.data.NumpyDataset(X), nb_epoch=1)
    model.to_onnx(tmp_path / "m.onnx")
    found = runtime.InferenceSession(str(tmp_path / "m.onnx")).run(None, {"X": X})[0]
    assert np.allclose(found, model.predict(X), atol=1e-5)


def test_molecules_are_encoded_by_the_featurizer_of_the_model():
    smiles = ["CCO", "CCN", "c1ccccc1", "CC(=O)O"]
    data = ct.data.NumpyDataset(ct.ops.ecfp(smiles, size=64))
    data.featurizer = ct.feat.CircularFingerprint(radius=2, size=64)
    model = VAE(64, 2, [8], reconstruction="binary", seed=0)
    model.fit(data, nb_epoch=1)
    assert np.array_equal(model.encode(smiles), model.encode(data.X))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: VAE(12, layer_filters=[4]), "layer_filters are of images"),
        (lambda: VAE((9, 7), 2), "n_features must be"),
        (lambda: small().decode(np.ones((2, 3))), r"decode: z must have shape \(rows, 2\), got \(2, 3\)"),
        (lambda: small().decode([[np.nan, 1]]), "decode: z is not finite as float32 at row 0"),
        (lambda: small(reconstruction="binary").fit(ROWS), "X must be from 0 to 1"),
        (lambda: small().encode(np.ones((2, 5), np.float32)), r"VAE.encode: X must have shape \(rows, 12\)"),
        (lambda: VAE((9, 7, 1)).encode(np.ones((2, 9, 8))), r"X must have shape \(rows, 9, 7, 1\)"),
    ],
)
def test_refusals_are_sentences(call, words):
    with pytest.raises(ValueError, match=words):
        call()
