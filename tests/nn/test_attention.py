"""Tests of attention layers, the transformer's encoder and positions: PyTorch's values, gradients, lengths, steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import nn
from tests.agreement import same_with_threads
from tests.reference import attention as reference
from tests.reference.gradients import directional


def steps(rng, *shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def float64(layer, rng):
    """The layer with float64 parameters, none of them where it began."""
    for p in layer.parameters():
        p.data = p.data.astype(np.float64) + 0.1 * rng.standard_normal(p.shape)
    return layer


def gradients_agree(layer, x, rng, *args, **options):
    """Whether the gradients at x and at all parameters have the slopes of the value."""
    layer.zero_grad()
    parameters = list(layer.parameters())
    starts = [x, *(p.data for p in parameters)]
    weights = None

    def value(*arrays):
        nonlocal weights
        for p, a in zip(parameters, arrays[1:], strict=True):
            p.data = a
        given = ct.Tensor(arrays[0], requires_grad=True)
        y = layer(given, *args, **options)
        y = y[0] if isinstance(y, tuple) else y
        weights = rng.standard_normal(y.shape) if weights is None else weights
        return (y * weights).sum(), given

    total, given_ = value(*starts)
    total.backward()
    found = [given_.grad, *(p.grad for p in parameters)]
    slope, claimed = directional(lambda *a: float(value(*a)[0].numpy()), starts, found, rng)
    return np.isclose(slope, claimed, rtol=1e-5, atol=1e-6)


def to_torch(torch, ours, theirs):
    """Give an attention layer of PyTorch the weights of ours."""
    pairs = [
        (theirs.in_proj_weight, ours.project.w.numpy().T), (theirs.out_proj.weight, ours.output.w.numpy().T),
        (theirs.in_proj_bias, ours.project.b.numpy()), (theirs.out_proj.bias, ours.output.b.numpy()),
    ]  # fmt: skip
    with torch.no_grad():
        for parameter, value in pairs:
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))


def shaken(layer, rng):
    """The layer, with other biases and scales than it begins with."""
    for p in layer.parameters():
        p.data[...] += 0.1 * rng.standard_normal(p.shape).astype(np.float32)
    return layer


@given(
    heads=st.integers(1, 4), width=st.integers(1, 9), n=st.integers(1, 3), queries=st.integers(1, 40),
    keys=st.integers(1, 40), how=st.sampled_from(["self", "cross", "causal", "padded"]), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=25, deadline=None, derandomize=True)
def test_multi_head_attention_equals_pytorch(heads, width, n, queries, keys, how, seed):
    torch = pytest.importorskip("torch")
    rng, size = np.random.default_rng(seed), heads * width
    ours = shaken(nn.MultiHeadAttention(size, heads, rng=rng), rng)
    theirs = torch.nn.MultiheadAttention(size, heads, batch_first=True)
    to_torch(torch, ours, theirs)
    x, dy = steps(rng, n, queries, size), steps(rng, n, queries, size)
    other = steps(rng, n, keys, size) if how == "cross" else x
    options, masks, own = {}, {}, np.full(n, queries)
    if how == "causal":
        options, masks = {"causal": True}, {"attn_mask": torch.from_numpy(~np.tri(queries, dtype=bool))}
    if how == "padded":
        own = rng.integers(1, queries + 1, n)
        masks = {"key_padding_mask": torch.from_numpy(np.arange(queries) >= own[:, None])}
        options = {"lengths": own}
    there = (np.arange(queries) < own[:, None])[..., None]
    x_ours, x_theirs = ct.Tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    y = ours(x_ours, other, **options) if how == "cross" else ours(x_ours, **options)
    keys_theirs = torch.from_numpy(other) if how == "cross" else x_theirs
    expected = theirs(x_theirs, keys_theirs, keys_theirs, need_weights=False, **masks)[0]
    assert np.allclose(y.numpy() * there, expected.detach().numpy() * there, atol=1e-5)
    (y * (dy * there)).sum().backward()
    (expected * torch.from_numpy(dy * there)).sum().backward()
    assert np.allclose(x_ours.grad, x_theirs.grad.numpy(), atol=1e-4)
    assert np.allclose(ours.project.w.grad, theirs.in_proj_weight.grad.numpy().T, atol=1e-3)
    assert np.allclose(ours.output.b.grad, theirs.out_proj.bias.grad.numpy(), atol=1e-3)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("causal", [False, True])
def test_the_encoder_equals_pytorchs(rng, norm_first, activation, causal):
    torch = pytest.importorskip("torch")
    ours = shaken(
        nn.TransformerEncoder(
            12, 3, 2, hidden_size=20, activation=activation, norm_first=norm_first, causal=causal, rng=0
        ),
        rng,
    )
    layer = torch.nn.TransformerEncoderLayer(
        12, 3, 20, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first
    )
    theirs = torch.nn.TransformerEncoder(
        layer, 2, torch.nn.LayerNorm(12) if norm_first else None, enable_nested_tensor=False
    )
    with torch.no_grad():
        for a, b in zip(ours.layers, theirs.layers, strict=True):
            to_torch(torch, a.attention, b.self_attn)
            for linear, their in ((a.hidden, b.linear1), (a.output, b.linear2)):
                their.weight.copy_(torch.from_numpy(linear.w.numpy().T.copy()))
                their.bias.copy_(torch.from_numpy(linear.b.numpy()))
            for norm, their in zip(a.norms, (b.norm1, b.norm2), strict=True):
                their.weight.copy_(torch.from_numpy(norm.gamma.numpy()))
                their.bias.copy_(torch.from_numpy(norm.beta.numpy()))
        if norm_first:
            theirs.norm.weight.copy_(torch.from_numpy(ours.norm.gamma.numpy()))
            theirs.norm.bias.copy_(torch.from_numpy(ours.norm.beta.numpy()))
    x, lengths = steps(rng, 4, 17, 12), np.array([17, 1, 9, 16])
    there = np.arange(17) < lengths[:, None]
    x_theirs, x_ours = torch.from_numpy(x).requires_grad_(), ct.Tensor(x, requires_grad=True)
    masks = {"mask": torch.from_numpy(~np.tri(17, dtype=bool)), "is_causal": True} if causal else {}
    expected = theirs(x_theirs, src_key_padding_mask=torch.from_numpy(~there), **masks)
    y, state = ours(x_ours, lengths=lengths)
    assert state is None and not y.numpy()[~there].any()
    assert np.allclose(y.numpy()[there], expected.detach().numpy()[there], atol=2e-5)
    (y * y).sum().backward()
    (expected * torch.from_numpy(there[..., None])).square().sum().backward()
    assert np.allclose(x_ours.grad, x_theirs.grad.numpy(), atol=2e-4)


@pytest.mark.parametrize("norm_first", [False, True])
def test_gradients_of_the_layers(rng, norm_first):
    x = rng.standard_normal((2, 5, 6))
    attention = float64(nn.MultiHeadAttention(6, 2, rng=0), rng)
    assert gradients_agree(attention, x, rng, lengths=[5, 3])
    assert gradients_agree(attention, x, rng, steps(rng, 2, 4, 6, dtype=np.float64), causal=True)
    encoder = nn.TransformerEncoder(6, 3, 2, activation="tanh", norm_first=norm_first, causal=True, rng=0)
    assert gradients_agree(float64(encoder, rng), x, rng, lengths=np.array([5, 3]))
    assert gradients_agree(float64(nn.LearnedPositions(9, 6, rng=0), rng), x, rng, 2)
    assert gradients_agree(float64(nn.RMSNorm(6), rng), x, rng)
    assert gradients_agree(float64(nn.GroupNorm(3, 6), rng), x, rng)


def test_multi_head_attention_is_the_function_between_projections(rng):
    layer, x = nn.MultiHeadAttention(6, 2, rng=0), steps(rng, 2, 5, 6)
    q, k, v = np.split((x.reshape(10, 6) @ layer.project.w.numpy()).reshape(2, 5, 3, 2, 3), 3, axis=2)
    q, k, v = (a[:, :, 0].transpose(0, 2, 1, 3) for a in (q, k, v))
    y = reference.attention(q, k, v, causal=True).transpose(0, 2, 1, 3).reshape(2, 5, 6) @ layer.output.w.numpy()
    assert np.allclose(layer(x, causal=True).numpy(), y, atol=1e-6)
    same = layer(x, x, x, causal=True).numpy()
    assert np.array_equal(layer(x, causal=True).numpy(), same)


@pytest.mark.parametrize("norm_first", [False, True])
def test_steps_by_state_have_the_bits_of_the_whole_sequence(rng, norm_first):
    encoder = nn.TransformerEncoder(12, 3, 2, norm_first=norm_first, causal=True, dropout=0.5, rng=0).eval()
    x = steps(rng, 3, 40, 12)
    whole = encoder(x, lengths=[40, 40, 40])[0].numpy()
    y, state = encoder(x[:, :7])
    found = [y.numpy()]
    for t in range(7, 40):
        y, state = encoder(x[:, t : t + 1], state)
        found.append(y.numpy())
    assert np.array_equal(np.concatenate(found, axis=1), whole)
    with pytest.raises(ValueError, match="with a state x must be one step"):
        encoder(x, state)


def test_a_sequence_has_the_same_bits_in_any_batch_with_any_threads(rng):
    encoder = nn.TransformerEncoder(20, 4, 2, rng=0).eval()
    x, lengths = steps(rng, 5, 70, 20), [70, 3, 0, 66, 21]
    (whole,) = same_with_threads(lambda: encoder(x, lengths=lengths)[0].numpy())
    for n, own in enumerate(lengths):
        alone = encoder(x[n : n + 1, :own], lengths=[own])[0].numpy()
        assert np.array_equal(alone[0], whole[n, :own]) and not whole[n, own:].any()


def test_dropout_is_drawn_anew_in_training_and_by_seed(rng):
    layer, x = nn.TransformerEncoderLayer(8, 2, dropout=0.5, rng=0), steps(rng, 2, 6, 8)
    layer.set_seed(3)
    first, second = layer(x).numpy(), layer(x).numpy()
    layer.set_seed(3)
    assert not np.array_equal(first, second) and np.array_equal(layer(x).numpy(), first)
    layer.eval()
    assert np.array_equal(layer(x).numpy(), layer(x).numpy())


def test_positions_are_sines_and_rows(rng):
    x = steps(rng, 2, 7, 5)
    t, rate = np.arange(3, 10)[:, None], 10000.0 ** (-np.arange(0, 5, 2) / 5)
    expected = np.zeros((7, 5))
    expected[:, 0::2], expected[:, 1::2] = np.sin(t * rate), np.cos(t * rate)[:, :2]
    assert np.allclose(nn.SinusoidalPositions()(x, 3).numpy(), x + expected, atol=1e-6)
    learned = nn.LearnedPositions(10, 5, rng=0)
    assert np.array_equal(learned(x, 3).numpy(), x + learned.w.numpy()[3:10])
    with pytest.raises(ValueError, match="there are 10 positions, but x has the steps up to 11"):
        learned(x, 4)


@pytest.mark.parametrize("shape", [(1, 6), (5, 4, 6), (3, 2, 5, 6)])
def test_norms_equal_pytorchs(rng, shape):
    torch = pytest.importorskip("torch")
    x, gamma, beta = steps(rng, *shape) * 3 + 1, steps(rng, 6), steps(rng, 6)
    ours, theirs = nn.RMSNorm(6), torch.nn.RMSNorm(6)
    ours.gamma.data[...] = gamma
    theirs.weight.data = torch.from_numpy(gamma)
    assert np.allclose(ours(x).numpy(), theirs(torch.from_numpy(x)).detach().numpy(), atol=2e-6)
    for groups in (1, 2, 6):
        ours, theirs = nn.GroupNorm(groups, 6, eps=1e-3), torch.nn.GroupNorm(groups, 6, eps=1e-3)
        ours.gamma.data[...], ours.beta.data[...] = gamma, beta
        theirs.weight.data, theirs.bias.data = torch.from_numpy(gamma), torch.from_numpy(beta)
        channels_first = torch.from_numpy(np.moveaxis(x, -1, 1).copy())
        expected = (
            np.moveaxis(theirs(channels_first).detach().numpy(), 1, -1) if shape[:-1] != (1,) or groups < 6 else None
        )
        if expected is not None:  # PyTorch refuses one value a group
            assert np.allclose(ours(x).numpy(), expected, atol=5e-6)
    assert not any(p.decay for layer in (nn.RMSNorm(6), nn.GroupNorm(2, 6)) for p in layer.parameters())


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: nn.MultiHeadAttention(7, 2), "embed_dim must be a multiple of num_heads, got 7 and 2"),
        (lambda: nn.GroupNorm(4, 6), "num_channels must be a multiple of num_groups, got 6 and 4"),
        (lambda: nn.TransformerEncoder(8, 2)(np.ones((2, 3, 4), np.float32)), r"x must be \(N, T, 8\), got shape"),
        (lambda: nn.MultiHeadAttention(8, 2)(np.ones((2, 3, 8), np.float32), None, np.ones((2, 3, 8), np.float32)), "value needs a key"),
        (lambda: nn.RMSNorm(6)(np.ones((2, 5), np.float32)), r"rms_norm: gamma must have shape \(5,\)"),
    ],
)  # fmt: skip
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()
