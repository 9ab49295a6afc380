"""Tests that a featurizer stays with its dataset and with the model trained on it, and is never guessed."""

from __future__ import annotations

import json

import numpy as np
import pytest

import catalase as ct
from catalase.feat import (
    CircularFingerprint,
    Combined,
    Descriptors,
    DNAOneHotFeaturizer,
    Featurizer,
    RDKitDescriptors,
    TransformedFeaturizer,
)

SMILES = ["CCO", "CCN", "c1ccccc1O", "CC(=O)O", "CCCCCC", "C=CC#N", "OCCO", "NCC(=O)O"]
ECFP = CircularFingerprint(radius=1, size=64)


def dataset(featurizer=ECFP, **options):
    y = np.arange(len(SMILES)) * 1.0
    return ct.data.NumpyDataset(ECFP(SMILES), y, ids=SMILES, featurizer=featurizer, **options)


def regressor(width=64, **options):
    return ct.models.MultitaskRegressor(1, width, **{"layer_sizes": [8], "seed": 0, **options})


def scaled(data):
    return data.transform(ct.trans.NormalizationTransformer(transform_X=True, dataset=data))


class Lengths(Featurizer):
    """A featurizer of the user's own."""

    def featurize(self, datapoints, errors="raise"):
        X = np.array([[len(text), 1.0] for text in datapoints], np.float32).reshape(-1, 2)
        return (X, np.arange(len(X))) if errors == "drop" else X


class Column:
    """As a column of a table of pandas: an array by conversion, indexed by labels in another order."""

    def __init__(self, items):
        self.items = items
        self.X = "a label of that name"

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(self.items)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.items, object)

    def __getitem__(self, label):
        return self.items[len(self.items) - 1 - label]


EVERY = [
    CircularFingerprint(),
    CircularFingerprint(3, 128, True, False, True, True, True),
    CircularFingerprint(np.int64(1), np.int32(64), np.bool_(True)),
    Descriptors(),
    Descriptors(["TPSA", "MolWt"]),
    RDKitDescriptors(["MolWt", "Ipc"], ipc_avg=False, labels_only=np.bool_(True)),
    RDKitDescriptors(use_fragment=False, use_bcut2d=False),
    DNAOneHotFeaturizer(),
    DNAOneHotFeaturizer(np.int64(8), True, "uint8"),
    Combined(CircularFingerprint(size=64), Descriptors(["MolWt"]), scaled(dataset()).featurizer),
    scaled(dataset()).featurizer,
    scaled(scaled(dataset())).featurizer,
]


@pytest.mark.parametrize("featurizer", EVERY, ids=lambda f: type(f).__name__)
def test_the_saved_form_makes_an_equal_featurizer(featurizer):
    again = Featurizer.build(json.loads(json.dumps(featurizer.saved_form())))
    assert again == featurizer and again.agrees_with(featurizer) and hash(again) == hash(featurizer)
    assert type(again) is type(featurizer) and again != CircularFingerprint(size=8)
    texts = ["ACGT", "CCGT"] if isinstance(featurizer, DNAOneHotFeaturizer) else SMILES
    assert np.array_equal(again(texts), featurizer(texts))


def test_a_strange_file_names_no_other_class():
    for config in (
        {"class": "Popen"},
        {"class": "MultitaskRegressor"},
        {"class": "CircularFingerprint", "size": "64"},
        {},
    ):
        with pytest.raises(ValueError, match="config"):
            Featurizer.build(config)


class TestDatasets:
    def test_all_parts_and_forms_keep_it(self, tmp_path):
        data = dataset(tasks=["logS"])
        parts = [data.select([0, 2]), *ct.splits.RandomSplitter().train_valid_test_split(data, seed=0)]
        parts.append(ct.trans.NormalizationTransformer(transform_y=True, dataset=data).transform(data))
        disk = ct.data.DiskDataset.create(tmp_path / "d", [data.select([0, 1]), data.select([2, 3])])
        parts += [disk, ct.data.DiskDataset(tmp_path / "d"), disk.select([1])]
        writer = ct.data.DiskWriter(tmp_path / "w")
        writer.append(data)
        writer = ct.data.DiskWriter(tmp_path / "w", resume=True)
        writer.append(data)
        parts.append(ct.data.DiskDataset(tmp_path / "w"))
        assert all(part.featurizer == ECFP for part in parts)

    def test_a_transformer_of_X_gives_one_of_the_new_features(self, tmp_path):
        data = scaled(scaled(dataset()))
        assert isinstance(data.featurizer, TransformedFeaturizer)
        disk = ct.data.DiskDataset(ct.data.DiskDataset.create(tmp_path, [data]).path)
        for featurizer in (data.featurizer, disk.featurizer):
            assert np.array_equal(featurizer(SMILES), data.X)
        X, kept = data.featurizer.featurize(["CCO", "C1CC", "CCN"], errors="drop")
        assert kept.tolist() == [0, 2] and np.array_equal(X, data.X[:2])
        masked = data.featurizer.featurize(["CCO", "C1CC"], errors="mask")
        assert np.array_equal(masked[0], data.X[0]) and not masked[1].any()

    def test_loaders_set_it(self, tmp_path):
        table = tmp_path / "t.csv"
        table.write_text("smiles,y\n" + "".join(f"{s},{i}\n" for i, s in enumerate(SMILES)))
        for options in ({}, {"shard_size": 3}, {"data_dir": tmp_path / "d"}):
            data = ct.data.CSVLoader(["y"], ECFP).create_dataset(table, **options)
            assert data.featurizer == ECFP and data.tasks == ["y"]

        class NoFeaturizer:
            def featurize(self, items, errors="raise"):
                return np.zeros((len(items), 3))

        assert ct.data.CSVLoader(["y"], NoFeaturizer()).create_dataset(table).featurizer is None

    def test_shards_of_two_featurizers_are_refused(self, tmp_path):
        other = ct.data.NumpyDataset(ECFP(SMILES), np.arange(8.0), ids=SMILES, featurizer=CircularFingerprint(2, 64))
        with pytest.raises(ValueError, match="shard 1 was made by"):
            ct.data.DiskDataset.create(tmp_path / "d", [dataset(), other])
        writer = ct.data.DiskWriter(tmp_path / "w")
        writer.append(dataset())
        with pytest.raises(ValueError, match=r"DiskWriter\.append: shard 1 was made by"):
            writer.append(other)
        assert len(writer.dataset()) == 8 and writer.dataset().featurizer == ECFP
        mixed = ct.data.DiskDataset.create(tmp_path / "m", [dataset(), dataset(featurizer=None)])
        assert mixed.featurizer is None  # it cannot be said of all rows

    def test_a_folder_of_an_earlier_version_has_none(self, tmp_path):
        ct.data.DiskDataset.create(tmp_path, [dataset()])
        manifest = tmp_path / "manifest.json"
        content = json.loads(manifest.read_text())
        old = {name: value for name, value in content.items() if name not in ("featurizer", "scaled_by")}
        from catalase._internal import storage

        storage.write_json_atomic(manifest, {k: v for k, v in old.items() if k != "digest"})
        assert ct.data.DiskDataset(tmp_path).featurizer is None

    def test_what_is_no_featurizer_is_refused(self):
        for wrong in ({"radius": 2}, "ECFP", CircularFingerprint):
            with pytest.raises(TypeError, match="featurizer must be None or a"):
                ct.data.NumpyDataset(np.zeros((2, 2)), featurizer=wrong)


class TestModels:
    def test_fit_copies_it_and_predict_takes_smiles(self, tmp_path):
        model = regressor()
        model.fit(dataset(tasks=["logS"]), nb_epoch=1)
        assert model.featurizer == ECFP and model.tasks == ["logS"]
        model.save(tmp_path / "m")
        right = model.predict(ECFP(SMILES))
        from rdkit import Chem

        given = [SMILES, tuple(SMILES), np.array(SMILES), np.array(SMILES, object), Column(SMILES)]
        given.append([Chem.MolFromSmiles(text) for text in SMILES])
        for one in (model, ct.models.load(tmp_path / "m")):
            for items in given:
                assert np.array_equal(one.predict(items), right)
            assert one.predict([]).shape == (0, 1) and one.predict(SMILES[:1]).shape == (1, 1)
            assert one.tasks == ["logS"]

    def test_no_molecule_is_dropped_without_a_word(self):
        model = regressor()
        model.fit(dataset(), nb_epoch=1)
        given = ["CCO", "C1CC", "", "CCN", " "]
        with pytest.raises(ValueError, match=r"predict: row 1, 'C1CC': not a valid SMILES"):
            model.predict(given)
        with pytest.raises(ValueError, match="row 0, '': the SMILES is empty"):
            model.predict([""])
        found = model.predict(given, errors="mask")
        assert np.isnan(found[:, 0]).tolist() == [False, True, True, False, True]
        report = model.featurizer.report
        assert (report.total, report.kept) == (5, 2) and [f.position for f in report.failures] == [1, 2, 4]
        assert np.array_equal(found[[0, 3]], model.predict(["CCO", "CCN"]))
        many = ["CCO"] * 5000 + ["C1CC"]  # more than a chunk
        with pytest.raises(ValueError, match="row 5000, 'C1CC'"):
            model.predict(many)
        assert np.isnan(model.predict(many, errors="mask")[5000, 0])
        with pytest.raises(ValueError, match="none of the 1 rows can be read"):
            model.predict(["C1CC"], errors="mask")
        with pytest.raises(ValueError, match="errors must be 'raise' or 'mask'"):
            model.predict(given, errors="drop")
        with pytest.raises(TypeError, match="wrap it in"):
            model.predict("CCO")

    def test_threads_do_not_mix_their_molecules(self):
        from concurrent.futures import ThreadPoolExecutor

        model = regressor()
        model.fit(scaled(dataset()), nb_epoch=1)
        lists = [[text] * (1 + i) + ["C1CC"] * (i % 3) + SMILES for i, text in enumerate(SMILES)]
        right = [model.predict(items, errors="mask") for items in lists]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda items: model.predict(items, errors="mask"), lists * 10))
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(found, right * 10, strict=True))

    def test_a_setting_that_is_changed_later_changes_no_model(self):
        ecfp = CircularFingerprint(radius=1, size=64)
        data = dataset(ecfp)
        model, told = regressor(), regressor()
        model.fit(data, nb_epoch=1)
        told.featurizer = ecfp
        before = model.predict(SMILES)
        ecfp.radius = 3
        assert model.featurizer == told.featurizer == data.featurizer == ECFP and np.array_equal(
            model.predict(SMILES), before
        )

    def test_what_cannot_be_predicted_or_undone_is_said(self):
        model = regressor()
        model.fit(dataset(), nb_epoch=1)
        normal = ct.trans.NormalizationTransformer(dataset=dataset())
        metric = ct.metrics.Metric(ct.metrics.mae_score)
        for call, kind, words in [
            (lambda: model.predict({"CCO"}), TypeError, "needs a dataset, an array or a list, got set"),
            (lambda: model.predict(None), TypeError, "needs a dataset, an array or a list, got NoneType"),
            (lambda: model.predict([[1, 2], [3]]), ValueError, "of different lengths"),
            (lambda: model.predict(["CCO", None]), ValueError, "row 1, 'None': needs text or an RDKit molecule"),
            (lambda: model.predict(SMILES, "abc"), TypeError, "transformers must be a list"),
            (
                lambda: model.predict(SMILES, [None]),
                TypeError,
                "transformers must be a list of transformers, got None in it",
            ),
            (lambda: model.evaluate(ECFP(SMILES), metric), TypeError, "evaluate: needs a dataset such as"),
        ]:
            with pytest.raises(kind, match=words):
                call()
        model.transformers = normal
        with pytest.raises(
            TypeError, match="transformers must be a list of transformers, got NormalizationTransformer"
        ):
            model.predict(SMILES)

    def test_a_strange_folder_names_no_nonsense(self, tmp_path):
        from catalase._internal import storage

        model = regressor()
        model.save(tmp_path / "m")
        config, arrays = storage.load_folder(tmp_path / "m")
        for wrong in (
            {"tasks": "y"},
            {"tasks": [1]},
            {"smiles_column": ["a"]},
            {"featurizer": [1]},
            {"featurizer": {"class": "Popen"}},
            {"featurizer": {"class": "CircularFingerprint", "size": -1}},
            {"featurizer": {"class": "TransformedFeaturizer", "featurizer": {"class": "CircularFingerprint"}}},
            {"transformers": {}},
        ):
            storage.save_folder(tmp_path / "m", {**config, **wrong}, arrays)
            with pytest.raises(ValueError, match=r"load:|config:"):
                ct.models.load(tmp_path / "m")

    def test_a_model_without_one_says_how_to_set_it(self):
        model = regressor()
        model.fit(dataset(featurizer=None), nb_epoch=1)
        assert model.featurizer is None
        with pytest.raises(TypeError, match=r"names no featurizer; set model\.featurizer"):
            model.predict(SMILES)
        model.featurizer = CircularFingerprint(size=128)
        with pytest.raises(ValueError, match="takes 64 features, but its featurizer names fingerprints of size 128"):
            model.predict(SMILES)

    @pytest.mark.parametrize("make", [regressor, lambda: ct.models.Ensemble([regressor(seed=1), regressor(seed=2)])])
    def test_features_of_another_kind_are_refused(self, make):
        other = ct.data.NumpyDataset(ECFP(SMILES), np.arange(8.0), featurizer=CircularFingerprint(radius=2, size=64))
        metric = ct.metrics.Metric(ct.metrics.mae_score)
        model = make()
        model.fit(dataset(), nb_epoch=1)
        before = model.predict(SMILES)
        for call in (
            lambda: model.fit(other, nb_epoch=1),
            lambda: model.fit(dataset(), nb_epoch=1, valid=other),
            lambda: model.predict(other),
            lambda: model.evaluate(other, metric),
            lambda: model.fit(scaled(dataset()), nb_epoch=1),
        ):
            with pytest.raises(ValueError, match="was made by"):
                call()
        assert np.array_equal(model.predict(SMILES), before)
        model.fit(dataset(featurizer=None), nb_epoch=1)  # says nothing: the user's word
        partial = CircularFingerprint(
            radius=1, size=64, partial=True
        )  # what can be read differs, not what features mean
        model.fit(dataset(partial), nb_epoch=1)
        assert model.featurizer == ECFP

    def test_every_model_of_fingerprints_takes_smiles(self):
        from catalase.models.tensorgraph import layers

        x, y = layers.Feature(shape=(None, 64)), layers.Label(shape=(None, 1))
        guess = layers.Dense(1, in_layers=x)
        graph = ct.models.TensorGraph(batch_size=4, seed=0)
        graph.set_loss(layers.ReduceMean(layers.L2Loss([guess, y])))
        graph.add_output(guess)
        line = ct.models.CNN(1, 1, 1, [2], kernel_size=3, mode="regression", seed=0)
        for model in (graph, line, ct.models.TanimotoKNNRegressor(1, 64), ct.models.Ensemble([regressor()])):
            model.fit(dataset(), nb_epoch=1)
            assert model.featurizer == ECFP
            assert np.array_equal(model.predict(SMILES), model.predict(ECFP(SMILES)))
            hits = ct.screen(model, SMILES, 8)
            assert np.array_equal(hits.scores, model.predict(SMILES)[hits.rows, 0])

    def test_a_net_of_dna_takes_sequences(self, tmp_path):
        one_hot = DNAOneHotFeaturizer(length=10)
        texts = ["ACGTACGTAC", "TTTTGGGGCC", "ACACACACAC", "GGGG"]
        model = ct.models.CNN(1, 4, 1, [3], kernel_size=3, mode="regression", seed=0)
        model.fit(ct.data.NumpyDataset(one_hot(texts), np.arange(4.0), featurizer=one_hot), nb_epoch=1)
        model.save(tmp_path / "m")
        assert np.array_equal(ct.models.load(tmp_path / "m").predict(texts), model.predict(one_hot(texts)))
        with pytest.raises(ValueError, match="row 1, 'AC!T'"):
            model.predict(["ACGT", "AC!T"])

    def test_an_ensemble_has_that_of_its_members(self):
        members = [regressor(seed=s) for s in range(2)]
        ensemble = ct.models.Ensemble(members)
        for member in members:
            member.fit(dataset(tasks=["logS"]), nb_epoch=1)
        assert ensemble.featurizer == ECFP and ensemble.tasks == ["logS"]
        mean, spread = ensemble.predict_spread(SMILES)
        expected = ensemble.predict_spread(ECFP(SMILES))
        assert np.array_equal(mean, expected[0]) and np.array_equal(spread, expected[1])
        other = regressor()
        other.featurizer = CircularFingerprint(radius=3, size=64)
        with pytest.raises(ValueError, match="member 1 was trained on the features of"):
            ct.models.Ensemble([members[0], other])

    def test_the_dictionaries_of_earlier_versions_may_be_assigned(self):
        model = regressor()
        model.featurizer = {
            "fingerprint": {"radius": 1, "size": 64},
            "smiles": "mol",
            "tasks": ["a"],
            "classification": False,
        }
        assert model.featurizer == ECFP and model.tasks == ["a"] and model.smiles_column == "mol"
        model.featurizer = ECFP.saved_form()
        assert model.featurizer == ECFP
        model.featurizer = ECFP.to_config()
        assert model.featurizer == ECFP
        model.featurizer = None
        assert model.featurizer is None
        for wrong in ({"fingerprint": {"bits": 3}}, {"radius": "2"}, {"name": "ECFP"}, {"class": "Popen"}):
            with pytest.raises(ValueError, match=r"fingerprint|config"):
                model.featurizer = wrong
        for wrong in ("ECFP", CircularFingerprint, 3):
            with pytest.raises(TypeError, match="featurizer must be None or a"):
                model.featurizer = wrong
        for wrong in ("a", [1], 3):
            with pytest.raises(TypeError, match="tasks must be a list of names"):
                model.tasks = wrong
        model.tasks = np.array(["a", "b"])
        assert model.tasks == ["a", "b"] and all(type(name) is str for name in model.tasks)

    def test_a_featurizer_of_the_users_own_works_until_it_is_saved(self, tmp_path):
        own = Lengths()
        model = regressor(2)
        model.fit(ct.data.NumpyDataset(own(SMILES), np.arange(8.0), featurizer=own), nb_epoch=1)
        right = model.predict(own(SMILES))
        assert np.array_equal(model.predict(SMILES), right)
        with pytest.warns(UserWarning, match="Lengths: this featurizer cannot be saved"):
            model.save(tmp_path / "m")
        again = ct.models.load(tmp_path / "m")
        with pytest.raises(TypeError, match="names no featurizer"):
            again.predict(SMILES)
        again.featurizer = own
        assert np.array_equal(again.predict(SMILES), right)


def test_tokens_of_another_tokenizer_are_refused():
    texts = ["ACGT", "GGTT"]
    own, other = ct.data.CharTokenizer.fit(texts), ct.data.CharTokenizer.fit(["TGCAN"])
    model = ct.models.SequenceRegressor(1, own, hidden_size=4, embedding_size=4, seed=0)
    good = ct.data.SequenceDataset.from_texts(texts, own, y=[0.0, 1.0])
    bad = ct.data.SequenceDataset.from_texts(texts, other, y=[0.0, 1.0])
    model.fit(good, nb_epoch=1)
    language = ct.models.LanguageModel(own, hidden_size=4, embedding_size=4, seed=0)
    for call in (
        lambda: model.fit(bad, nb_epoch=1),
        lambda: model.predict(bad.select([0])),
        lambda: model.evaluate(bad, ct.metrics.Metric(ct.metrics.mae_score)),
        lambda: language.predict(bad),
    ):
        with pytest.raises(ValueError, match="made by another tokenizer"):
            call()
    assert np.array_equal(model.predict(good), model.predict(texts))
