"""Choosing among models honestly: searches for settings, cross-validation, curves of scores, nested validation."""

from __future__ import annotations

from .nested import NestedResult, nested_validation
from .scrambling import ScrambledResult, y_scrambling
from .search import GridHyperparamOpt, HyperparamOpt, OptunaOpt, RandomHyperparamOpt, SearchResult
from .validation import CrossValidated, ScoreCurve, cross_validate, learning_curve, validation_curve

__all__ = [
    "CrossValidated",
    "GridHyperparamOpt",
    "HyperparamOpt",
    "NestedResult",
    "OptunaOpt",
    "RandomHyperparamOpt",
    "ScoreCurve",
    "ScrambledResult",
    "SearchResult",
    "cross_validate",
    "learning_curve",
    "nested_validation",
    "validation_curve",
    "y_scrambling",
]
