"""scikit-learn's own checks of every estimator and transformer: none fails, and none is expected to."""

from __future__ import annotations

import inspect
import warnings

import pytest

pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

import catalase.sklearn as cs

VECTORS = {
    "DenseClassifier": {}, "DenseRegressor": {}, "KNNClassifier": {}, "KNNRegressor": {}, "RidgeClassifier": {}, "RidgeRegressor": {}, "TanimotoGPClassifier": {}, "TanimotoGPRegressor": {},
}  # fmt: skip
TEXTS = ["AutoClassifier", "AutoRegressor", "DMPNNClassifier", "DMPNNRegressor", "Descriptors", "ECFP", "MolGraphs", "OneHotDNA", "SequenceClassifier", "SequenceRegressor"]  # fmt: skip
# Checks that scikit-learn itself leaves out of an estimator like this one, with its reason.
LEFT_OUT = {"check_array_api_input": "SCIPY_ARRAY_API", "check_classifiers_multilabel_output_format_decision_function": "decision_function"}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_every_check_passes(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(getattr(cs, name)(), on_skip=None, on_fail=None)
    failed = {check["check_name"]: check["exception"] for check in found if check["status"] == "failed"}
    assert not failed and len(found) > 50
    for check in found:
        if check["status"] == "skipped":
            assert LEFT_OUT[check["check_name"]] in str(check["exception"])
        assert check["status"] in ("passed", "skipped")


@pytest.mark.parametrize("options", [{"dropout": 0.2}, {"early_stopping": True}, {"hidden_layer_sizes": ()}, {"layer_norm": True, "residual": True, "hidden_layer_sizes": [8, 8]}])  # fmt: skip
def test_the_checks_of_the_interface_pass_with_other_arguments(options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(cs.DenseRegressor(max_iter=5, **options), legacy=False, on_skip=None, on_fail=None)
    assert {check["status"] for check in found} == {"passed"}


@pytest.mark.parametrize("name", TEXTS)
def test_tags_say_what_reads_texts_and_no_check_fails(name):
    tags = get_tags(getattr(cs, name)())
    assert tags.input_tags.string and not tags.input_tags.two_d_array
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        found = check_estimator(getattr(cs, name)(), on_skip=None, on_fail=None)
    assert {check["status"] for check in found} == {"passed"}


def test_every_class_is_in_a_list():
    assert set(cs.__all__) == set(VECTORS) | set(TEXTS)


@pytest.mark.parametrize("name", cs.__all__)
def test_a_constructor_keeps_what_it_is_given(name):
    kind = getattr(cs, name)
    parameters = inspect.signature(kind).parameters
    marks = {parameter: object() for parameter in parameters}
    made = kind(**marks)
    assert isinstance(made, BaseEstimator)
    assert all(getattr(made, parameter) is mark for parameter, mark in marks.items())
    assert clone(kind()).get_params() == kind().get_params()
    assert all(f"{parameter}" in inspect.getdoc(kind) for parameter in parameters), "the docstring names every argument"
