"""A net of one's own as a model, and classes of one's own in saved folders: what is admitted, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import catalase as ct
from catalase import models, nn
from catalase._internal import registry, storage
from catalase._internal.numbers import whole_number
from catalase._internal.registry import Int
from catalase._internal.settings import Settings

RNG = np.random.default_rng(0)
X = RNG.random((40, 4)).astype(np.float32)
Y = X[:, :1] - X[:, 1:2]
MAE = ct.metrics.Metric(ct.metrics.mae_score)


@pytest.fixture(autouse=True)
def _registry_of_its_own(monkeypatch):
    """What a test registers is forgotten after it."""
    models.register(type("Admitted", (nn.Module,), {}))  # imports all models
    monkeypatch.setattr(registry, "_REGISTRY", {k: v for k, v in registry._REGISTRY.items() if k != "Admitted"})


class Wide(nn.Module):
    def __init__(self, width, shape=(4, 1), activation="tanh"):
        super().__init__()
        self.width, self.shape, self.activation = width, shape, activation
        self.first = nn.Linear(shape[0], width, activation, rng=0)
        self.last = nn.Linear(width, shape[1], rng=1)

    def forward(self, x):
        return self.last(self.first(x))


class Cubed(nn.losses.Loss):
    def elementwise(self, output, y, w):
        return (output - ct.Tensor(np.asarray(y, np.float32).reshape(output.shape))).abs() ** 3


def data():
    return ct.data.NumpyDataset(X, Y)


def model(**options):
    settings = {"loss": "L2Loss", "learning_rate": 0.01, "batch_size": 10, "seed": 0, **options}
    return models.NetModel(settings.pop("module", None) or Wide(8), **settings)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent, self.head = nn.GRU(2, 6, rng=0), nn.Linear(6, 1, rng=1)

    def forward(self, batch):
        return self.head(self.recurrent(batch.values, None, batch.lengths)[1])


def test_a_net_of_ones_own_reads_sequences():
    sequences = [RNG.random((n, 2)).astype(np.float32) for n in RNG.integers(1, 9, 30)]
    rows = ct.data.SequenceDataset(sequences, y=[[one[:, 0].sum()] for one in sequences])
    made = model(module=Reader())
    history = made.fit(rows, nb_epoch=20, valid=rows)
    assert history["valid_loss"][-1] < 0.3 * history["valid_loss"][0]
    assert made.evaluate(rows, MAE)["mae_score"] < 1
    alone = [made.predict(rows.select([row])) for row in range(30)]
    assert np.array_equal(made.predict(rows), np.concatenate(alone))
    rows.X.values[rows.X.offsets[7]] = np.nan
    with pytest.raises(ValueError, match="X is not finite at row 7"):
        made.predict(rows)


def test_a_net_of_ones_own_learns_predicts_scores_and_stops_early():
    made = model(learning_rate=0.03)
    stopper = ct.train.EarlyStopping(monitor="mae_score", patience=3)
    history = made.fit(data(), nb_epoch=60, valid=data(), metrics=MAE, callbacks=[stopper])
    score = made.evaluate(data(), MAE)["mae_score"]
    assert score < 0.1 and min(history["mae_score"]) == pytest.approx(score)
    assert made.predict(X).shape == (40, 1)
    alone = np.concatenate([made.predict(X[i : i + 1]) for i in range(40)])
    assert np.array_equal(made.predict(X), alone) and np.array_equal(made.predict_on_batch(X), alone)
    assert made.predict(X[:0]).shape == (0, 1)


def test_it_trains_as_the_loop_does():
    made, net = model(), Wide(8)
    made.fit(data(), nb_epoch=3)
    ct.train.fit(
        net, data(), nn.losses.L2Loss(), optimizer=ct.optim.Adam(net, lr=0.01), nb_epoch=3, batch_size=10, seed=0
    )
    for name, array in net.state_dict().items():
        assert np.array_equal(array, made.state_dict()[name])


@pytest.mark.parametrize("loss", ["L2Loss", nn.losses.L1Loss(), "own"])
def test_it_is_saved_and_loaded_with_its_arguments(tmp_path, loss):
    models.register(Wide)
    if loss == "own":
        loss = models.register(Cubed)()
    made = model(module=Wide(np.int64(6), activation="sigmoid"), loss=loss)
    made.fit(data(), nb_epoch=2)
    made.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert type(again) is models.NetModel and type(again.module) is Wide and type(again.loss) is type(made.loss)
    assert again.module.width == 6 and again.module.activation == "sigmoid" and list(again.module.shape) == [4, 1]
    assert np.array_equal(again.predict(X), made.predict(X))
    assert again.to_config() == made.to_config()
    again.fit(data(), nb_epoch=1)  # the loss is there again


def test_losses_of_logits_predict_probabilities():
    y = (Y > 0).astype(float)
    for loss, outputs in (("SoftmaxCrossEntropy", 2), ("SigmoidCrossEntropy", 1)):
        made = model(module=Wide(8, (4, outputs)), loss=loss, learning_rate=0.05)
        labels = y[:, 0] if outputs == 2 else y
        made.fit(ct.data.NumpyDataset(X, labels), nb_epoch=30)
        found = made.predict(X)
        assert found.shape == (40, outputs) and found.min() >= 0 and found.max() <= 1
        assert (
            made.evaluate(ct.data.NumpyDataset(X, y), ct.metrics.Metric(ct.metrics.roc_auc_score))["roc_auc_score"]
            > 0.9
        )
    made = model(loss=lambda output, y, w: (output - ct.Tensor(np.asarray(y, np.float32))).abs().mean())
    made.fit(data(), nb_epoch=1)
    assert np.array_equal(made.predict(X), made.module.eval()(ct.Tensor(X)).numpy())


def test_whole_numbers_go_in_as_they_are():
    class Ids(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.out = nn.Embedding(5, 3, rng=0), nn.Linear(6, 1, rng=1)

        def forward(self, ids):
            assert ids.dtype.kind == "i"
            return self.out(self.table(ids).reshape((len(ids), 6)))

    rows = RNG.integers(0, 5, (12, 2))
    made = models.NetModel(Ids(), "L2Loss", seed=0)
    made.fit(ct.data.NumpyDataset(rows, rows.sum(axis=1, keepdims=True)), nb_epoch=1)
    assert made.predict(rows).shape == (12, 1)


def test_a_model_class_of_ones_own_declares_its_settings_and_is_saved(tmp_path):
    @models.register
    class Line(models.NetModel):
        settings = models.NetModel.settings | Settings(width=Int(1, 100))

        def __init__(self, width, note="", learning_rate=1e-3, optimizer=None, batch_size=10, seed=None):
            self._set(locals())
            self.note = note
            self._start(Wide(self.width), nn.losses.L2Loss())

    made = Line(5, {"by": ["me", 1, None]}, optimizer="Momentum", seed=3)
    made.fit(data(), nb_epoch=1)
    made.transformers = [ct.trans.NormalizationTransformer(transform_y=True, dataset=data())]
    made.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert type(again) is Line and (again.width, again.note, again.seed) == (5, {"by": ["me", 1, None]}, 3)
    assert np.array_equal(again.predict(X), made.predict(X))
    with pytest.raises(ValueError, match=r"Line: width must be a whole number from 1 to 100, got 101"):
        Line(101)
    ensemble = models.Ensemble([Line(5, seed=1), Line(5, seed=2)])
    ensemble.save(tmp_path / "e")
    assert np.array_equal(models.load(tmp_path / "e").predict(X), ensemble.predict(X))
    config, arrays = storage.load_folder(tmp_path / "m")
    for change, words in (({"width": 10**6}, "width must be"), ({"note": {"a": 1}, "more": 1}, "has no field 'more'")):
        storage.save_folder(tmp_path / "x", {**config, "model": {**config["model"], **change}}, arrays)
        with pytest.raises(ValueError, match=words):
            models.load(tmp_path / "x")


def test_a_process_that_has_not_registered_the_class_says_so_in_one_sentence(tmp_path):
    models.register(Wide)
    made = model()
    made.save(tmp_path / "m")
    code = """
        import catalase as ct
        try:
            ct.models.load("m")
        except ValueError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=tmp_path)
    said = done.stdout.strip()
    assert "unknown class 'Wide'" in said and "call catalase.models.register on it before loading" in said, done.stderr
    assert "\n" not in said


def test_what_is_not_registered_is_not_saved(tmp_path):
    class Own(models.MultitaskRegressor):
        """A model that no config may name."""

    for made, name in ((model(), "Wide"), (Own(1, 4, layer_sizes=[2]), "Own")):
        with pytest.raises(
            TypeError, match=rf"a saved config cannot name {name}; call catalase\.models\.register\({name}\)"
        ):
            made.save(tmp_path / "m")
    models.register(Wide)
    with pytest.raises(TypeError, match="the loss is a function"):
        model(loss=lambda output, y, w: output.mean()).save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_an_argument_that_is_not_kept_or_not_plain_is_named(tmp_path):
    @models.register
    class Forgets(nn.Module):
        def __init__(self, width=3):
            super().__init__()
            self.inner = nn.Linear(4, width)

    with pytest.raises(
        TypeError, match=r"Forgets: cannot be saved, since it keeps no attribute 'width'.*set self\.width = width"
    ):
        models.NetModel(Forgets(), "L2Loss").save(tmp_path / "m")
    models.register(Wide)
    net = Wide(3)
    net.activation = np.tanh
    with pytest.raises(TypeError, match="a saved config holds a number, a text"):
        models.NetModel(net, "L2Loss").save(tmp_path / "m")


@pytest.mark.parametrize("name", ["CNN", "NetModel", "L2Loss", "Adam", "CircularFingerprint", "ExponentialDecay"])
def test_a_name_that_is_taken_is_refused(name):
    with pytest.raises(ValueError, match=f"register: the name '{name}' is taken"):
        models.register(type(name, (nn.Module,), {}))
    assert registry.named(name).__module__.startswith("catalase.")


def test_a_class_that_is_defined_again_takes_the_place_of_the_one_before():
    def cell():
        class Again(nn.Module):
            def __init__(self):
                super().__init__()

        return models.register(Again)

    first, second = cell(), cell()
    assert first is not second and registry.named("Again") is second

    class Again(nn.Module):
        """Another class of that name."""

    with pytest.raises(ValueError, match="the name 'Again' is taken"):
        models.register(Again)


@pytest.mark.parametrize("wrong", [3, None, "CNN", dict, ct.data.NumpyDataset, whole_number, ct.optim.SGD])
def test_only_models_nets_and_losses_are_admitted(wrong):
    with pytest.raises(TypeError, match="register: cls must be a class with"):
        models.register(wrong)


def test_arguments_without_names_are_refused():
    class Any(nn.Module):
        def __init__(self, *sizes, **options):
            super().__init__()

    with pytest.raises(TypeError, match=r"register: cls takes any arguments; name those of Any\.__init__"):
        models.register(Any)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"module": nn.losses.L2Loss()}, TypeError, "module must be a Module, got L2Loss"),
        ({"loss": "MSE"}, ValueError, "loss must be one of BinaryCrossEntropyLoss, CensoredLoss, CosineLoss, CrossEntropyLoss, (Cubed, )?EuclideanLoss, FocalLoss, GaussianNLL, HellingerLoss, HingeLoss, HuberLoss, KLDivergenceLoss, L1Loss, L2Loss, NegativeLogLikelihoodLoss, PoissonLoss, SigmoidCrossEntropy, SoftmaxCrossEntropy, SparseCrossEntropyLoss, SquaredHingeLoss, got"),
        ({"loss": 3}, TypeError, "loss must be a loss of catalase.nn.losses, its name, or a function"),
        ({"loss": nn.losses.L2Loss}, TypeError, "loss must be a loss of"),
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number, 1 or more"),
        ({"optimizer": "Adm"}, ValueError, "optimizer must be one of AdaGrad, Adam, AdamW, Lamb, Lion, Momentum, RMSProp, SGD, got 'Adm'"),
        ({"optimizer": ct.optim.SGD}, TypeError, "optimizer must be None, the name of an optimizer, or one with its settings"),
    ],
)  # fmt: skip
def test_what_it_is_made_of_is_checked(options, error, words):
    with pytest.raises(error, match=rf"NetModel: ({words})"):
        model(**options)


def test_a_strangers_config_is_bounded_by_its_weights(tmp_path):
    models.register(Wide)
    model().save(tmp_path / "m")
    config, arrays = storage.load_folder(tmp_path / "m")
    for change, words in (
        ({"width": 10**6}, "larger net than the file of its weights holds"),
        ({"class": "Cubed"}, "unknown class 'Cubed'"),
        ({"class": "CNN"}, "unknown class 'CNN'"),
        ({"more": 1}, "has no field 'more'"),
    ):
        wrong = {**config["model"], "module": {**config["model"]["module"], **change}}
        storage.save_folder(tmp_path / "m", {**config, "model": wrong}, arrays)
        with pytest.raises(ValueError, match=words):
            models.load(tmp_path / "m")
