"""Nonsense in every argument of datasets, loaders, tokenizers, and readers of genomes and digits."""

from __future__ import annotations

import inspect
import itertools
import struct

import numpy as np
import pytest

import catalase as ct
from catalase import data
from tests.nonsense import Target, call, ones, report

KINDS = {
    "X": "values", "y": "values?", "w": "values?", "ids": "names?", "tasks": "names?", "featurizer": "ours?", "indices": "rows", "rows": "rows", "transformer": "ours", "batch_size": "whole?", "epochs": "whole",
    "seed": "seed?", "path": "path", "extra": "anything", "shards": "anything", "report": "function?", "shard": "ours", "dataset": "ours", "augment": "ours", "inputs": "files", "data_dir": "path?", "sequences": "anything", "graphs": "ours", "datasets": "anything", "shard_size": "whole?",
    "texts": "names", "tokens": "names", "text": "word", "numbers": "ids", "tokenizer": "ours", "values": "values", "offsets": "ids", "lengths": "ids", "step": "whole", "feature_field": "word?", "id_field": "word?",
    "sorter": "function", "size": "sizes?", "mode": "word?", "genome": "path or keys", "max_degree": "whole", "depth": "whole", "intervals": "anything", "length": "whole?", "dtype": "dtype", "sequence": "word", "dir": "path", "images": "array", "labels": "values",
}  # fmt: skip
CHOICES = ("along", "mode", "errors", "empty", "outside", "unknown")  # of a few words; none of them is nonsense
WALK = {"batch_size": 2, "epochs": 1, "deterministic": False, "pad_batches": True, "seed": 0}
COLUMNS = {"y": [0.0, 1.0, 2.0, 3.0], "w": np.ones(4), "ids": ["a", "b", "c", "d"], "tasks": ["t"]}


def plain():
    return data.NumpyDataset(ones(4, 3), np.arange(4.0), tasks=["t"])


def sequences(**options):
    return data.SequenceDataset([[5, 6], [7], [8, 9], [4]], [0.0, 1.0, 2.0, 3.0], tasks=["t"], **options)


def graphs():
    return data.GraphDataset(ct.ops.mol_graphs(["CCO", "C", "CN", "OO"]), [0.0, 1.0, 2.0, 3.0], tasks=["t"])


def scaler():
    return ct.trans.NormalizationTransformer(dataset=plain())


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a file of every kind; paths in arguments that are none end there."""
    pillow = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("smiles,y\nCCO,1\nCC,2\n")
    (tmp_path / "a.fa").write_text(">one\nACGT\n")
    (tmp_path / "a.bed").write_text("one\t0\t3\n")
    (tmp_path / "pictures").mkdir()
    for i in range(4):
        pillow.fromarray(np.full((4, 5), i, np.uint8)).save(tmp_path / "pictures" / f"{i}.png")
    for part, n in (("train", 4), ("t10k", 2)):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, n, 2, 2) + bytes(4 * n))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, n) + bytes(n))
    data.DNATokenizer().save(tmp_path / "tokenizer.json")
    graphs().save(tmp_path / "graphs")
    data.DiskDataset.create(tmp_path / "disk", [plain(), plain()])
    return tmp_path


def pictures():
    return data.ImageDataset([f"pictures/{i}.png" for i in range(4)], [0.0, 1.0, 2.0, 3.0], tasks=["t"])


DATASETS = {
    "NumpyDataset": plain,
    "DiskDataset": lambda: data.DiskDataset("disk", window_bytes=64),
    "ImageDataset": pictures,
    "SequenceDataset": sequences,
    "GraphDataset": graphs,
    "AugmentedDataset": lambda: data.AugmentedDataset(pictures(), data.Augment(flip_horizontal=0.5)),
}


def check(function, make, kinds=None, *, names=(), walk=False, pairs=60, also=None, skip=()):
    """Run the table's row; what is a generator is walked through for three steps."""
    target = Target(function, make, KINDS | (kinds or {}), names=names, also=also, skip=skip)
    if walk:
        target.function = lambda *args, **kwargs: list(itertools.islice(function(*args, **kwargs), 3))
    wrong = target.failures(pairs=pairs)
    assert not wrong, report(wrong)


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("method", ["select", "transform", "iterbatches", "numbered_batches"])
def test_methods_of_datasets(name, method, here):
    dataset = DATASETS[name]()
    calls = {"select": lambda: call([0, 2]), "transform": lambda: call(scaler())}
    make = calls.get(method, lambda: call(**WALK))
    names = ("iterbatches",) if method not in calls else (method,)
    check(getattr(dataset, method), make, names=names, walk=method not in calls)


CONSTRUCTORS = {
    "NumpyDataset": lambda: call(ones(4, 3), featurizer=ct.feat.CircularFingerprint(), **COLUMNS),
    "SequenceDataset": lambda: call([[5, 6], [7], [8, 9], [4]], bucket_batches=50, empty="error", per_step=False, featurizer=ct.feat.SmilesTokens(data.DNATokenizer()), **COLUMNS),
    "GraphDataset": lambda: call(ct.ops.mol_graphs(["CCO", "C", "CN", "OO"]), featurizer=ct.feat.MolGraphFeaturizer(), **COLUMNS),
    "ImageDataset": lambda: call([f"pictures/{i}.png" for i in range(4)], size=(4, 4), mode="L", **COLUMNS),
    "DiskDataset": lambda: call("disk", window_bytes=100, verify=True),
    "AugmentedDataset": lambda: call(pictures(), data.Augment(), masks=False),
    "CSVLoader": lambda: call(["y"], ct.feat.CircularFingerprint(size=64), feature_field="smiles", id_field="smiles"),
    "ImageLoader": lambda: call(["t"], sorted, size=(4, 4), mode="L"),
    "CharTokenizer": lambda: call(["a", "b"], unknown="error"),
    "SmilesTokenizer": lambda: call(["C", "Br"], unknown="error"),
    "DNATokenizer": lambda: call(unknown="error"),
    "RaggedArray": lambda: call(np.arange(5), np.array([0, 2, 5])),
    "SequenceBatch": lambda: call(np.zeros((2, 3), np.int32), np.array([3, 1])),
    "DigitImages": lambda: call(ones(4, 3), np.zeros(4, np.uint8)),
    "GraphBatch": lambda: call(ct.ops.mol_graphs(["CCO", "C"]), [1, 0]),
}  # fmt: skip
OWN = {
    "ImageDataset.X": "anything", "SequenceDataset.sequences": "anything", "CSVLoader.tasks": "names", "CSVLoader.featurizer": "ours", "DiskDataset.window_bytes": "whole",
    "SequenceDataset.y": "values?", "ImageDataset.y": "anything", "ImageDataset.w": "values?",
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_constructors(name, here):
    cls = getattr(data, name, None) or getattr(data.mnist, name)
    own = {key.partition(".")[2]: kind for key, kind in OWN.items() if key.partition(".")[0] == name}
    check(cls, CONSTRUCTORS[name], own, also={"X": ["pixels"], "y": ["masks"], "sequences": ["row", "sequence"]})


def needs(package):
    return pytest.importorskip(package)


FRAME = {"X": [1.0, 2.0], "y": [0.0, 1.0], "w": [1.0, 1.0], "ids": ["a", "b"]}
METHODS = {
    "NumpyDataset.from_dataframe": (lambda: data.NumpyDataset.from_dataframe, lambda: call(pytest.importorskip("pandas").DataFrame(FRAME), X=["X"], y=["y"], w=["w"], ids="ids", featurizer=None)),
    "Dataset.to_dataframe": (lambda: plain().to_dataframe, lambda: call(library="pandas")),
    "Dataset.make_pytorch_dataset": (lambda: needs("torch") and plain().make_pytorch_dataset, lambda: call(epochs=1, deterministic=False, batch_size=2, seed=0)),
    "Dataset.make_tf_dataset": (lambda: needs("tensorflow") and plain().make_tf_dataset, lambda: call(batch_size=2, epochs=1, deterministic=False, pad_batches=False, seed=0)),
    "CharTokenizer.fit": (lambda: data.CharTokenizer.fit, lambda: call(["ab", "b"], min_count=1, unknown="error")),
    "CharTokenizer.split": (lambda: data.CharTokenizer(["a"]).split, lambda: call("ab")),
    "SmilesTokenizer.split": (lambda: data.SmilesTokenizer(["C"]).split, lambda: call("CC")),
    "DNATokenizer.split": (lambda: data.DNATokenizer().split, lambda: call("AC")),
    "DNATokenizer.fit": (lambda: data.DNATokenizer.fit, lambda: call(["AC"], min_count=1, unknown="error")),
    "CharTokenizer.encode": (lambda: data.CharTokenizer(["a"], "token").encode, lambda: call("ab")),
    "CharTokenizer.encode_all": (lambda: data.CharTokenizer(["a"], "token").encode_all, lambda: call(["ab", "a"])),
    "CharTokenizer.decode": (lambda: data.CharTokenizer(["a"], "token").decode, lambda: call([3, 4])),
    "CharTokenizer.save": (lambda: data.CharTokenizer(["a"]).save, lambda: call("saved.json")),
    "load_tokenizer": (lambda: data.load_tokenizer, lambda: call("tokenizer.json")),
    "RaggedArray.padded": (lambda: sequences().X.padded, lambda: call([0, 2])),
    "RaggedArray.__getitem__": (lambda: sequences().X.__getitem__, lambda: call([0, 2])),
    "RaggedArray.place": (lambda: sequences().X.place, lambda: call(3)),
    "RaggedArray.places": (lambda: sequences().X.places, lambda: call([0, 2])),
    "SequenceBatch.to": (lambda: data.SequenceBatch(np.zeros((2, 3), np.int32), np.array([3, 1])).to, lambda: call("cpu")),
    "SequenceDataset.from_texts": (lambda: data.SequenceDataset.from_texts, lambda: call(["AC", "G", "T", "TT"], data.DNATokenizer(), **COLUMNS, bucket_batches=50)),
    "GraphDataset.merge": (lambda: data.GraphDataset.merge, lambda: call([graphs(), graphs()])),
    "GraphDataset.save": (lambda: graphs().save, lambda: call("graphs", shard_size=2)),
    "GraphDataset.create": (lambda: data.GraphDataset.create, lambda: call("made graphs", [graphs()], report=None)),
    "GraphDataset.load": (lambda: data.GraphDataset.load, lambda: call("graphs", verify=True)),
    "ImageDataset.part": (lambda: pictures().part, lambda: call([0, 2])),
    "DiskDataset.create": (lambda: data.DiskDataset.create, lambda: call("made", [plain()], tasks=["t"], report=None, extra={})),
    "DiskWriter": (lambda: data.DiskWriter, lambda: call("written", tasks=["t"], extra={}, resume=True)),
    "DiskWriter.append": (lambda: data.DiskWriter("appended", resume=True).append, lambda: call(plain())),
    "CSVLoader.create_dataset": (lambda: data.CSVLoader(["y"], ct.feat.CircularFingerprint(size=64)).create_dataset, lambda: call(["t.csv"], data_dir="table", shard_size=2, errors="raise")),
    "ImageLoader.create_dataset": (lambda: data.ImageLoader(["t"]).create_dataset, lambda: call(("pictures", [0.0, 1.0, 2.0, 3.0]), data_dir="images", shard_size=2, errors="raise")),
    "DigitImages.next_batch": (lambda: data.mnist.DigitImages(ones(4, 3), np.zeros(4, np.uint8)).next_batch, lambda: call(2, shuffle=True)),
    "GraphBatch.atoms": (lambda: data.GraphBatch(ct.ops.mol_graphs(["CCO", "C"])).atoms, lambda: call(max_degree=3)),
    "GraphBatch.environments": (lambda: data.GraphBatch(ct.ops.mol_graphs(["CCO", "C"])).environments, lambda: call(2, along="bonds", distinct=True)),
    "GraphBatch.to": (lambda: data.GraphBatch(ct.ops.mol_graphs(["CCO", "C"])).to, lambda: call("cpu")),
    "read_data_sets": (lambda: data.mnist.read_data_sets, lambda: call(".", one_hot=True, validation_size=1)),
    "digits": (lambda: data.mnist.digits, lambda: call(one_hot=True)),
    "read_idx": (lambda: data.mnist.read_idx, lambda: call("t10k-labels-idx1-ubyte")),
    "read_bed": (lambda: data.read_bed, lambda: call("a.bed")),
    "read_fasta": (lambda: data.read_fasta, lambda: call("a.fa")),
    "one_hot_intervals": (lambda: data.one_hot_intervals, lambda: call({"chr1": "ACGT"}, [("chr1", 1, 3)], length=3, outside="raise", dtype="uint8")),
    "reverse_complement": (lambda: data.reverse_complement, lambda: call("ACGT")),
}  # fmt: skip
WRITES = ("DiskDataset.create", "DiskWriter", "DiskWriter.append", "CSVLoader.create_dataset", "ImageLoader.create_dataset", "CharTokenizer.save")  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods_and_functions(name, here):
    function, make = METHODS[name][0](), METHODS[name][1]
    cls, _, method = name.rpartition(".")
    names = (method, cls) if cls else (method, "read_fasta")  # which reads the genome of one_hot_intervals
    kinds = {"rows": "rows or slice"} if method == "__getitem__" else {}
    names = (cls,) if method == "__getitem__" else names
    also = {"tasks": ["tasks"], "texts": ["row"], "data_dir": ["folder"], "y": ["masks"], "intervals": ["interval"]}
    check(function, make, kinds, names=names, walk=name == "read_fasta", pairs=20 if name in WRITES else 60, also=also)


AUGMENT = {
    "flip_horizontal": 0.5, "flip_vertical": 0.5, "rotate90": True, "rotation": 10.0, "shift": 1.0, "crop": (2, 2), "brightness": 0.1, "contrast": 0.1, "noise": 0.1, "limits": (0.0, 1.0), "border": "edge", "fill": 0.5,
}  # fmt: skip


def test_augmentation():
    kinds = {"limits": "anything", "shift": "anything", "crop": "sizes?", "fill": "real", "seed": "whole"}
    check(data.Augment, lambda: call(**AUGMENT, seed=1), kinds, names=("Augment", "augment_images"))
    apply = data.Augment(**AUGMENT).__call__
    kinds = {"X": "floats or packed", "masks": "anything", "numbers": "ids?", "seed": "whole?"}
    check(apply, lambda: call(ones(2, 4, 4, 3), np.ones((2, 4, 4), np.uint8), step=0, numbers=[0, 1], random=True, seed=1), kinds, names=("Augment", "augment_images"), also={"X": ["x"]})  # fmt: skip


# Without arguments, or plain records, whose fields are looked at where they are used.
EXEMPT = {"AtomLists", "Dataset", "Interval", "Digits", "mnist", "Augment"}
BARE = {"get_shape", "get_task_names", "itersamples", "get_shard_size", "get_number_shards", "iter_shards", "verify", "dataset", "whole", "to_config", "with_arrays"}  # fmt: skip
EVERYWHERE = {"select", "transform", "iterbatches", "numbered_batches"}


def test_everything_public_is_in_a_table():
    offered = set(data.__all__) | set(data.mnist.__all__)
    assert offered == EXEMPT | set(CONSTRUCTORS) | {name for name in METHODS if "." not in name}
    for name in set(CONSTRUCTORS) | {"DiskWriter", "Augment"}:
        cls = getattr(data, name, None) or getattr(data.mnist, name)
        methods = {n for n, v in inspect.getmembers(cls, callable) if not n.startswith("_")} - BARE - EVERYWHERE
        rows = {row.partition(".")[2] for row in METHODS if "." in row and issubclass(cls, getattr(data, row.partition(".")[0], data.mnist.DigitImages))}  # fmt: skip
        assert methods <= rows, f"{name}: {methods - rows} lack a row"
