"""Nonsense in every argument of featurizers."""

from __future__ import annotations

import inspect

import pytest

from catalase import data, feat, trans
from tests.nonsense import Target, call, ones, report

KINDS = {"*featurizers0": "ours", "*featurizers1": "ours", "featurizer": "ours", "tokenizer": "ours", "transformers": "list of ours", "datapoints": "list of ours", "config": "ours", "other": "anything", "length": "whole?", "dtype": "dtype"}  # fmt: skip


def scaler():
    return trans.NormalizationTransformer(transform_X=True, dataset=data.NumpyDataset(ones(2, 64)))


CONSTRUCTORS = {
    "CircularFingerprint": lambda: call(radius=2, size=64, chiral=False, bonds=True, features=False, is_counts_based=False, partial=False),
    "MACCSKeysFingerprint": lambda: call(),
    **{name: lambda: call(size=64, is_counts_based=False) for name in ("AtomPairFingerprint", "TopologicalTorsionFingerprint", "RDKitFingerprint")},
    "Descriptors": lambda: call(names=["MolWt", "TPSA"]),
    "RDKitDescriptors": lambda: call(descriptors=["MolWt", "Ipc"], is_normalized=False, use_fragment=True, ipc_avg=True, use_bcut2d=True, labels_only=False),
    "MolGraphFeaturizer": lambda: call(features="dmpnn", extra=feat.Descriptors(["MolWt"])),
    "ConvMolFeaturizer": lambda: call(master_atom=False, use_chirality=False, atom_properties=[], per_atom_fragmentation=False),
    "MolGraphConvFeaturizer": lambda: call(use_edges=True, use_chirality=False, use_partial_charge=False),
    "SmilesTokens": lambda: call(data.SmilesTokenizer(["C", "O"]), canonical=False),
    "DNAOneHotFeaturizer": lambda: call(length=4, reverse_complement=False, dtype="uint8"),
    "TransformedFeaturizer": lambda: call(feat.CircularFingerprint(size=64), [scaler()]),
    "Combined": lambda: call(feat.CircularFingerprint(size=64), feat.Descriptors(["MolWt"])),
}  # fmt: skip
MADE = {
    "CircularFingerprint": (lambda: feat.CircularFingerprint(size=64), ["CCO", "C"]),
    "MACCSKeysFingerprint": (lambda: feat.MACCSKeysFingerprint(), ["CCO", "C"]),
    "AtomPairFingerprint": (lambda: feat.AtomPairFingerprint(size=64), ["CCO", "C"]),
    "TopologicalTorsionFingerprint": (lambda: feat.TopologicalTorsionFingerprint(size=64), ["CCO", "C"]),
    "RDKitFingerprint": (lambda: feat.RDKitFingerprint(size=64), ["CCO", "C"]),
    "Descriptors": (lambda: feat.Descriptors(["MolWt", "TPSA"]), ["CCO", "C"]),
    "RDKitDescriptors": (lambda: feat.RDKitDescriptors(["MolWt", "Ipc"]), ["CCO", "C"]),
    "MolGraphFeaturizer": (lambda: feat.MolGraphFeaturizer(extra=feat.Descriptors(["MolWt"])), ["CCO", "C"]),
    "ConvMolFeaturizer": (lambda: feat.ConvMolFeaturizer(), ["CCO", "C"]),
    "MolGraphConvFeaturizer": (lambda: feat.MolGraphConvFeaturizer(), ["CCO", "C"]),
    "SmilesTokens": (lambda: feat.SmilesTokens(data.SmilesTokenizer(["C", "O"])), ["CCO", "C"]),
    "DNAOneHotFeaturizer": (lambda: feat.DNAOneHotFeaturizer(length=4), ["ACG", "T"]),
    "TransformedFeaturizer": (lambda: feat.TransformedFeaturizer(feat.CircularFingerprint(size=64), [scaler()]), ["C"]),
    "Combined": (lambda: feat.Combined(feat.CircularFingerprint(size=64), feat.Descriptors(["MolWt"])), ["C"]),
}
METHODS = ("featurize", "compact", "__call__")
ALERTS = {"FilterCatalog", "filter_catalog"}  # no featurizers


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_constructors(name):
    wrong = Target(getattr(feat, name), CONSTRUCTORS[name], KINDS).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("method", METHODS)
def test_featurizing(name, method):
    make, datapoints = MADE[name]
    options = {} if method == "compact" else {"errors": "raise"}
    if "Fingerprint" in name and method != "compact":
        options["output"] = "packed"
    function = getattr(make(), method)
    also = {"datapoints": ["molecule", "sequence", "sequences", "smiles"]}  # errors name the one that is wrong
    kinds = KINDS | {"datapoints": "texts" if name == "DNAOneHotFeaturizer" else "list of ours"}
    if method == "compact":
        kinds["datapoints"] = "names"  # leaves out what cannot be read
    wrong = Target(function, lambda: call(datapoints, **options), kinds, names=("featurize", "ecfp", "descriptors", "maccs", "atom_pairs", "topological_torsions", "rdkit_fingerprint", "mol_graphs"), also=also).failures()  # fmt: skip
    assert not wrong, report(wrong)


def test_saved_forms():
    make = lambda: call(feat.CircularFingerprint(size=64).saved_form())  # noqa: E731
    wrong = Target(feat.Featurizer.build, make, KINDS, names=("config",), also={"config": ["dict"]}).failures()
    agrees = feat.CircularFingerprint(size=64).agrees_with
    wrong += Target(agrees, lambda: call(feat.CircularFingerprint(size=64)), KINDS).failures()
    assert not wrong, report(wrong)


def test_filter_catalogs():
    kinds = {"smiles": "anything", "num_threads": "whole?"}
    wrong = [*Target(feat.filter_catalog, lambda: call("zinc"), KINDS).failures()]
    wrong += Target(feat.FilterCatalog, lambda: call("zinc"), KINDS).failures()
    for method in ("has_match", "matches"):
        make = lambda: call(["CCO"], errors="raise", return_report=False, num_threads=1)  # noqa: E731
        function = getattr(feat.filter_catalog("zinc"), method)
        names = (f"FilterCatalog.{method}",)
        wrong += Target(function, make, KINDS | kinds, names=names, also={"smiles": ["molecule"]}).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    featurizers = set(feat.__all__) - ALERTS - {"DESCRIPTOR_NAMES"}
    assert featurizers == set(CONSTRUCTORS) | {"Featurizer"} == set(MADE) | {"Featurizer"}
    for name in featurizers:
        methods = {n for n, _ in inspect.getmembers(getattr(feat, name), inspect.isroutine) if not n.startswith("_")}
        assert methods - {"to_config", "saved_form", "from_config"} == {"featurize", "compact", "agrees_with", "build"}
