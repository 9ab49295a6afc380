"""Tests of the examples that read sequences, on a few synthetic rows, and on real data if CATALASE_DATA_DIR has them."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

import catalase as ct

DATA = Path(os.environ.get("CATALASE_DATA_DIR") or "/nowhere")
SMILES = [
    "CCO", "CCN", "CCCl", "c1ccccc1", "Cc1ccccc1", "CC(=O)O", "CC(C)O", "CCOC", "CCBr", "C[C@H](N)O", "O=C1CCCN1",
    "c1ccncc1", "CC(=O)N", "CCS", "OCCO", "NCCO", "CCCC", "CC=C", "C#N", "Clc1ccccc1",
]  # fmt: skip


def test_samples_are_counted(example):
    pytest.importorskip("rdkit")
    module = example("smiles_language_model")
    scores = module.assess(["CCO", "OCC", "C(", "CCN", "", "CCC"], ["OCC"])
    assert scores == {"validity": 4 / 6, "uniqueness": 3 / 4, "novelty": 2 / 3}
    assert module.assess([], []) == {"validity": 0, "uniqueness": 0, "novelty": 0}


def test_the_language_model_runs(example, tmp_path, capsys):
    pytest.importorskip("rdkit")
    path = tmp_path / "some.smi.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(f"{text} name\n" for text in SMILES * 3)
    options = ["--epochs", "2", "--hidden", "8", "--samples", "5", "--save", str(tmp_path / "model")]
    scores = example("smiles_language_model").main([str(path), *options])
    assert np.isfinite(scores["loss"]) and 0 <= scores["validity"] <= 1
    assert "5 samples drawn" in capsys.readouterr().out
    assert len(ct.models.load(tmp_path / "model").sample(3)) == 3


@pytest.mark.skipif(not (DATA / "zinc250k.smi.gz").is_file(), reason="CATALASE_DATA_DIR has no zinc250k.smi.gz")
def test_tokens_of_zinc_come_back(example):
    smiles = example("smiles_language_model").read_smiles(DATA / "zinc250k.smi.gz")[:2000]
    tokenizer = ct.data.SmilesTokenizer.fit(smiles)
    assert [tokenizer.decode(ids) for ids in tokenizer.encode_all(smiles)] == smiles


def made_up_genome(rng, genes=12):
    """Genes of 400 codons without a stop on both strands, random letters between them."""
    codons = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
    codons = [codon for codon in codons if codon not in ("TAA", "TAG", "TGA")]
    text, written = "", []
    for i in range(genes):
        gene = "".join(rng.choice(codons, size=400))
        written.append(gene)
        inside = "TAA" + gene + "TAA"
        text += (inside if i % 2 else ct.data.reverse_complement(inside)) + "".join(rng.choice(list("ACGT"), size=100))
    return text, written


def test_genes_are_found_on_both_strands(example):
    genome, written = made_up_genome(np.random.default_rng(0))
    found = example("dna_strand").genes(genome)
    assert [gene in letters for gene, (_, letters) in zip(written, found, strict=True)] == [True] * 12
    assert all(genome.find(part) == at for at, part in found[1::2])


def test_pieces(example):
    module, rng = example("dna_strand"), np.random.default_rng(0)
    gene = "".join(rng.choice(list("ACGT"), size=600))
    texts, y = module.pieces([gene], 40, "strand", rng)
    assert y.tolist() == [0, 1] * 20
    assert all(
        (text if label else ct.data.reverse_complement(text)) in gene for text, label in zip(texts, y, strict=True)
    )
    texts, y = module.pieces([gene], 40, "shuffled", rng)
    assert [text in gene for text in texts] == y.astype(bool).tolist()


@pytest.mark.parametrize("task", ["strand", "shuffled"])
def test_the_dna_example_runs(example, tmp_path, task, capsys):
    path = tmp_path / "made_up.fa"
    path.write_text(">made up\n" + made_up_genome(np.random.default_rng(0), 30)[0] + "\n")
    score = example("dna_strand").main([task, str(path), "--windows", "100", "--epochs", "1"])
    assert 0 <= score <= 1
    assert "held-out ROC-AUC" in capsys.readouterr().out


@pytest.mark.parametrize("options", [[], ["--truncation", "50"]])
def test_the_gene_example_runs(example, options, capsys):
    module, rng = example("mark_genes"), np.random.default_rng(0)
    for text, coding in zip(*module.make_up(10, rng, np.full(61, 1 / 61)), strict=True):
        gene = "".join(np.array(list(text))[coding == 1])
        assert len(text) == len(coding) and gene.startswith("ATG") and gene[-3:] in module.STOPS
    assert 0 <= module.main(["--rows", "30", "--epochs", "1", *options]) <= 1
    assert "held-out ROC-AUC" in capsys.readouterr().out


def test_the_toxicity_example_runs(example):
    pytest.importorskip("rdkit")
    module = example("toxicity_from_text")
    y = np.array([["l" in text, "c" in text] for text in SMILES * 2], float)
    y[0] = np.nan
    X = ct.ops.ecfp(SMILES * 2, size=1024)
    whole = ct.data.NumpyDataset(X, y, ids=np.array(SMILES * 2), tasks=["chlorine", "ring"])
    parts = [whole.select(np.arange(start, 40, 3)) for start in range(3)]
    scores = module.run(parts, 2, 0, hidden=8)
    assert set(scores) == {"text", "fingerprints"}
    _, (train, valid, test) = module.as_text(parts)
    assert np.array_equal(train.w, parts[0].w) and train.tasks == whole.tasks
    assert [len(part) for part in (train, valid, test)] == [len(part) for part in parts]
