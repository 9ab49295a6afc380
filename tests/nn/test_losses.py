"""Every loss: against float64 formulas and PyTorch, its gradient, weights, missing labels, reductions, devices and saved settings."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import nn
from tests.reference import losses as reference
from tests.reference.gradients import directional

L = nn.losses
SETTINGS = {  # of the losses that have more than reductions
    "HuberLoss": [{}, {"delta": 0.3}],
    "PoissonLoss": [{}, {"log_output": True}],
    "FocalLoss": [{}, {"gamma": 0.5, "alpha": 0.25}, {"gamma": 0.0}],
}
ELEMENTWISE = [(name, options) for name in reference.ELEMENTWISE for options in SETTINGS.get(name, [{}])]
PROBABILITIES = ("BinaryCrossEntropyLoss", "HellingerLoss", "KLDivergenceLoss", "CrossEntropyLoss")
POSITIVE = (*PROBABILITIES, "PoissonLoss")
BINARY = ("HingeLoss", "SquaredHingeLoss")


def drawn(rng, name, shape):
    """Outputs, labels and weights of a kind that the loss takes; a fifth of the labels is missing."""
    output = 0.05 + 0.9 * rng.random(shape) if name in POSITIVE else rng.standard_normal(shape)
    y = rng.integers(0, 4, shape) * 1.0 if name == "PoissonLoss" else rng.random(shape)
    y = np.round(y) if name in BINARY else y
    if name in ("HellingerLoss", "KLDivergenceLoss", "CrossEntropyLoss", "NegativeLogLikelihoodLoss"):
        y = y / y.sum(-1, keepdims=True)
    w = rng.random(shape) * (rng.random(shape) > 0.2)
    return output, np.where(w == 0, np.nan, y), w


def value_and_gradient(loss, output, y, w=None):
    x = ct.Tensor(output, requires_grad=True)
    value = loss(x, y, w)
    value.backward()
    return value.item(), x.grad


def check_gradient(loss, output, y, w, rng):
    _, gradient = value_and_gradient(loss, output, y, w)
    slope, claimed = directional(lambda x: loss(ct.Tensor(x), y, w).item(), [output], [gradient], rng)
    assert np.isclose(slope, claimed, rtol=2e-5, atol=1e-8), (type(loss).__name__, slope, claimed)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (4, 2, 3), (5,)])
@pytest.mark.parametrize(("name", "options"), ELEMENTWISE)
def test_a_loss_of_single_labels_is_its_formula(rng, name, options, shape):
    output, y, w = drawn(rng, name, shape)
    each = np.where(w == 0, 0, w * reference.ELEMENTWISE[name](output, np.nan_to_num(y), **options))
    kind = getattr(L, name)
    assert np.allclose(kind(reduction="none", **options)(ct.Tensor(output), y, w).numpy(), each, rtol=1e-10, atol=1e-14)
    assert np.isclose(kind(**options)(ct.Tensor(output), y, w).item(), each.mean(), rtol=1e-10)
    assert np.isclose(kind(reduction="sum", **options)(ct.Tensor(output), y, w).item(), each.sum(), rtol=1e-10)
    rows = each.reshape(len(each), -1).sum(1)
    assert np.isclose(kind(outputs="sum", **options)(ct.Tensor(output), y, w).item(), rows.mean(), rtol=1e-10)
    found = kind("none", "sum", **options)(ct.Tensor(output), y, w).numpy()
    assert found.shape == shape[:1] and np.allclose(found, rows, rtol=1e-10)
    check_gradient(kind(outputs="sum", **options), output, y, w, rng)
    if name not in BINARY:
        whole = np.nan_to_num(y)
        unweighted = reference.ELEMENTWISE[name](output, whole, **options).mean()
        assert np.isclose(kind(**options)(ct.Tensor(output), whole).item(), unweighted, rtol=1e-10)


@pytest.mark.parametrize("shape", [(1, 2), (7, 3), (4, 2, 5), (5,)])
@pytest.mark.parametrize("name", reference.VECTORS)
def test_a_loss_of_vectors_is_its_formula(rng, name, shape):
    output, y, w = drawn(rng, name, shape)
    w.reshape(-1, shape[-1])[:, 0] += 0.1  # a number of each vector is there
    y = np.where(np.isnan(y) & (w > 0), 0.5, y)
    rows = [v.reshape(-1, shape[-1]) for v in (output, np.nan_to_num(y), w)]
    each = np.array([reference.VECTORS[name](*row) for row in zip(*rows, strict=True)]).reshape(shape[:-1])
    kind = getattr(L, name)
    assert np.allclose(kind("none")(ct.Tensor(output), y, w).numpy(), each, rtol=1e-10, atol=1e-14)
    assert np.isclose(kind()(ct.Tensor(output), y, w).item(), each.mean(), rtol=1e-10)
    assert np.isclose(kind("sum")(ct.Tensor(output), y, w).item(), each.sum(), rtol=1e-10)
    check_gradient(kind(), output, y, w, rng)
    if len(shape) == 2:  # one weight for each row
        whole, of_rows = np.nan_to_num(y), rng.random(len(w))
        alone = kind("none")(ct.Tensor(output), whole).numpy()
        for given in (of_rows, of_rows[:, None], np.repeat(of_rows[:, None], shape[1], 1)):
            assert np.allclose(kind("none")(ct.Tensor(output), whole, given).numpy(), of_rows * alone, rtol=1e-10)


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "SparseCrossEntropyLoss", "NegativeLogLikelihoodLoss"])
@pytest.mark.parametrize("shape", [(6,), (6, 1), (2, 3)])
def test_class_numbers_stand_for_one_hot_rows(rng, name, shape):
    rows = shape if shape[-1] > 1 else (6,)
    p = rng.random((*rows, 4)) + 0.1
    y, w = rng.integers(0, 4, shape).astype(float), rng.random(shape)
    y.flat[2], w.flat[2] = np.nan, 0
    kind = getattr(L, name)
    found = kind("none")(ct.Tensor(p), y, w).numpy()
    p = p if name.startswith("Neg") else np.log(p)
    classes = np.nan_to_num(y).astype(int).reshape(rows)
    expected = -w.reshape(rows) * np.take_along_axis(p, classes[..., None], -1)[..., 0]
    assert found.shape == rows and np.allclose(found, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="labels must be class numbers from 0 to 3, got 4"):
        kind()(ct.Tensor(p), np.full(shape, 4))
    if name.startswith("Sparse"):
        with pytest.raises(ValueError, match=r"y must have shape \(.*\), got"):
            kind()(ct.Tensor(p), np.ones(p.shape))


def test_bounds_of_a_measurement(rng):
    x = rng.standard_normal((6, 2))
    low = x + rng.standard_normal((6, 2))
    high = low + rng.random((6, 2))
    low[0], high[1] = -np.inf, np.inf
    low[2] = high[2]
    y, w = np.stack([low, high], 1), rng.random((6, 2))
    each = reference.censored(x, low, high)
    for given, factor in ((None, 1), (w, w), (w[:, :1], w[:, :1]), (w[:, 0], w[:, :1]), (np.stack([w, w], 1), w)):
        assert np.allclose(L.CensoredLoss("none")(ct.Tensor(x), y, given).numpy(), factor * each, rtol=1e-12)
        check_gradient(L.CensoredLoss(), x, y, given, rng)
    both = np.ones(y.shape)
    open_below = y.copy()
    open_below[:, 0], both[:, 0] = np.nan, 0
    found = L.CensoredLoss("none")(ct.Tensor(x), open_below, both).numpy()
    assert np.allclose(found, reference.censored(x, -np.inf, high), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "output", "y"),
    [
        ("EuclideanLoss", [[1, 2], [0, 0]], [[1, 2], [0, 0]]),
        ("HellingerLoss", [[0, 1], [0, 0], [1, 0]], [[0, 1], [1, 0], [1, 0]]),
        ("KLDivergenceLoss", [[0, 1], [0, 1], [1, 0]], [[0, 1], [1, 0], [0, 1]]),
        ("CrossEntropyLoss", [[0, 1], [0, 1]], [[0, 1], [1, 0]]),
        ("CosineLoss", [[0, 0], [1, 1]], [[1, 1], [0, 0]]),
        ("BinaryCrossEntropyLoss", [[0, 1], [0, 1]], [[0, 1], [1, 0]]),
        ("PoissonLoss", [[0, 0]], [[0, 2]]),
        ("FocalLoss", [[200, -200], [200, -200]], [[1, 0], [0, 1]]),
        ("CensoredLoss", [[0.0]], [[[-np.inf], [np.inf]]]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_gradients_are_finite_where_roots_and_logarithms_are_not(name, output, y, dtype):
    value, gradient = value_and_gradient(getattr(L, name)(), np.array(output, dtype), np.array(y, float))
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_the_gradient_of_a_distance_of_0_is_0():
    assert np.array_equal(value_and_gradient(L.EuclideanLoss(), np.ones((2, 3)), np.ones((2, 3)))[1], np.zeros((2, 3)))


def test_losses_equal_those_of_pytorch(rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.functional
    for _ in range(5):
        n, c, delta = int(rng.integers(1, 9)), int(rng.integers(2, 6)), float(rng.random() + 0.1)
        x, y = rng.standard_normal((n, c)), rng.random((n, c))
        p, q = (v / v.sum(1, keepdims=True) for v in (rng.random((n, c)) + 0.1, y + 0.1))
        classes = rng.integers(0, c, n)
        signs = np.sign(rng.standard_normal((n, c)))
        for loss, output, label, other in [
            (L.L1Loss(), x, y, theirs.l1_loss),
            (L.L2Loss(), x, y, theirs.mse_loss),
            (L.HuberLoss(delta=delta), x, y, lambda a, b, delta=delta: theirs.huber_loss(a, b, delta=delta)),
            (L.PoissonLoss(log_output=True), x, y, theirs.poisson_nll_loss),
            (L.BinaryCrossEntropyLoss(), p, y, theirs.binary_cross_entropy),
            (L.SigmoidCrossEntropy(), x, y, theirs.binary_cross_entropy_with_logits),
            (L.KLDivergenceLoss(), p, q, lambda a, b: theirs.kl_div(a.log(), b, reduction="batchmean")),
            (L.CrossEntropyLoss(), p, classes, lambda a, b: theirs.nll_loss(a.log(), b)),
            (L.NegativeLogLikelihoodLoss(), x, classes, theirs.nll_loss),
            (L.SoftmaxCrossEntropy(), x, classes, theirs.cross_entropy),
            (L.EuclideanLoss(), x, y, lambda a, b: (a - b).norm(dim=1).mean()),
            (L.CosineLoss(), x, y, lambda a, b: (1 - theirs.cosine_similarity(a, b)).mean()),
            (L.HingeLoss(), x, signs, lambda a, b: (1 - a * b).clamp(min=0).mean()),
            (
                L.GaussianNLL(),
                np.stack([x, p], 1),
                y,
                lambda a, b: 2 * theirs.gaussian_nll_loss(a[:, 0], b, a[:, 1].exp()),
            ),
        ]:
            value, gradient = value_and_gradient(loss, output, label)
            given = torch.tensor(output, requires_grad=True)
            expected = other(given, torch.tensor(label))
            expected.backward()
            assert np.isclose(value, expected.item(), rtol=1e-9), type(loss).__name__
            assert np.allclose(gradient, given.grad.numpy(), rtol=1e-7, atol=1e-12), type(loss).__name__


@pytest.mark.parametrize("name", [*reference.ELEMENTWISE, *reference.VECTORS, "CensoredLoss"])
def test_every_backend_gives_the_value_and_the_gradient(backend, rng, name):
    shape = (5, 3)
    output, y, w = drawn(rng, "BinaryCrossEntropyLoss" if name == "CensoredLoss" else name, shape)
    w += 0.01 * (np.arange(3) == 0)
    y = np.where(np.isnan(y) & (w > 0), 0.5, y)
    if name == "CensoredLoss":
        y, w = np.stack([y - 0.1, y], 1), np.stack([w, w], 1)
    loss = getattr(L, name)()
    expected, slope = value_and_gradient(loss, output, y, w)

    def computed(x):
        x = ct.Tensor(x, requires_grad=True)
        value = loss(x, y, w)
        value.backward()
        return value.data.reshape(1), x.grad

    value, gradient = backend.run(computed, output.astype(np.float32))
    assert np.allclose(value, expected, rtol=2e-5) and np.allclose(gradient, slope, rtol=2e-4, atol=2e-6)


@ct.models.register
class OfFour(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1, rng=0)

    def forward(self, x):
        return self.layer(x)


def test_a_loss_is_saved_with_its_settings(tmp_path, rng):
    X, y = rng.standard_normal((12, 4)).astype(np.float32), rng.random((12, 1))
    for loss in (L.HuberLoss(delta=0.25, outputs="sum"), L.FocalLoss(alpha=0.1), L.PoissonLoss(log_output=True)):
        model = ct.models.NetModel(OfFour(), loss, seed=0)
        model.fit(ct.data.NumpyDataset(X, y), nb_epoch=1)
        model.save(tmp_path / type(loss).__name__)
        again = ct.models.load(tmp_path / type(loss).__name__)
        assert type(again.loss) is type(loss) and again.loss.to_config() == loss.to_config()
        assert np.array_equal(again.predict(X), model.predict(X))
    assert L.L2Loss().to_config() == {"class": "L2Loss"}  # as before reductions


def test_a_captured_step_gets_labels_in_the_form_of_the_loss():
    y, w = L.CrossEntropyLoss().prepared((3, 2), np.array([[0], [1], [np.nan]]), np.array([[1], [1], [0]]))
    assert y.tolist() == [[1, 0], [0, 1], [1, 0]] and w.tolist() == [[1, 1], [1, 1], [0, 0]]
    bounds, w = L.CensoredLoss().prepared((2, 1), np.ones((2, 2, 1)), np.array([[1], [0]]))
    assert bounds.shape == w.shape == (2, 2, 1) and w.ravel().tolist() == [1, 1, 0, 0]


def test_names_of_deepchem():
    assert L.CategoricalCrossEntropy is L.CrossEntropyLoss and L.BinaryCrossEntropy is L.BinaryCrossEntropyLoss
    assert L.SparseSoftmaxCrossEntropy is L.SoftmaxCrossEntropy


def test_probabilities_are_what_logits_predict(rng):
    x = rng.standard_normal((4, 3))
    assert np.allclose(L.FocalLoss().prediction(x), 1 / (1 + np.exp(-x)))
    for loss in (L.NegativeLogLikelihoodLoss(), L.PoissonLoss(log_output=True)):
        assert np.allclose(loss.prediction(x), np.exp(x))
    assert L.PoissonLoss().prediction(x) is x


@pytest.mark.parametrize("name", ["EuclideanLoss", "HuberLoss", "L2Loss", "SoftmaxCrossEntropy"])
def test_a_reduction_is_one_of_three(name):
    with pytest.raises(ValueError, match=f"{name}: reduction must be .*'mean'.*'sum'.*'none'"):
        getattr(L, name)(reduction="max")


@pytest.mark.parametrize("as_nan", [False, True])
def test_a_net_learns_from_measurements_that_are_only_bounds(rng, as_nan):
    """Of 300 values those above 1 are only known to be above 1; a net on plain labels would flatten there."""
    x = rng.uniform(-2, 3, (300, 1)).astype(np.float32)
    upper = np.where(x > 1, np.nan if as_nan else np.inf, x)
    y = np.stack([np.minimum(x, 1), upper], 1)
    net = nn.Linear(1, 1, rng=0)
    data = ct.data.NumpyDataset(x, y) if as_nan else ct.data.NumpyDataset(x, y, np.ones((300, 1)))
    ct.train.fit(net, data, L.CensoredLoss(), optimizer=ct.optim.Adam(net, lr=0.05), nb_epoch=200, seed=0)
    assert np.isclose(net(ct.Tensor(np.float32([[3.0]]))).item(), 3, atol=0.05)
