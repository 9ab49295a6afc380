"""Tests of the examples of nets that generate, on little data."""

from __future__ import annotations

import numpy as np

from tests.feat.test_alerts import SMILES


def test_the_example_of_a_mixture_counts_the_modes(example):
    module = example("gan_mixture")
    assert module.modes(module.mixture(800, 1)).min() > 50 and not module.modes(np.zeros((5, 2))).any()
    (found,) = module.main(["--seeds", "0", "--epochs", "60"])
    assert np.count_nonzero(found) == 8


def test_the_example_of_smiles_reports_and_saves(example, tmp_path, capsys):
    module = example("smiles_vae")
    (tmp_path / "l.smi").write_text("".join(f"{text} name\n" for text in ["CCO", "CCN", "c1ccccc1O", *SMILES[:20]]))
    small = ["--minutes", "0", "--latent", "4", "--hidden", "8", "--samples", "20", "--save", str(tmp_path / "m")]
    report = module.main([str(tmp_path / "l.smi"), *small])
    assert report.total == 20 and (tmp_path / "m").is_dir()
    assert "1 epochs, reconstruction" in capsys.readouterr().out
