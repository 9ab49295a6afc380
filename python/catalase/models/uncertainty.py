"""Predictions with standard deviations, of nets that have a variance output and dropout."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, ops
from .._internal.numbers import shown, whole_number
from ..autograd import Tensor, no_grad
from ..backends import to_device_of
from ..trans import Transformer, undo_transforms
from .model import check_transformers, chosen_transformers
from .net import NetModel

_MOST_MASKS = 10_000


class UncertainNet(NetModel):
    """A regression whose net has dropout, and gives a mean and the logarithm of a variance, (N, 2, n_tasks), on request."""

    uncertainty: bool

    def predict_uncertainty(
        self,
        dataset: Any,
        masks: int = 50,
        transformers: Sequence[Transformer] | None = None,
        raw: bool = False,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return predictions and their standard deviations, in the units of the measurement, by dropout and the variance.

        The prediction is the mean over nets that are thinned by dropout masks. The variance is that of these nets'
        predictions (what the model does not know) and the mean of their variance outputs (the noise of the labels).

        Parameters
        ----------
        dataset, transformers, raw
            As in `predict`; SMILES that cannot be read are an error.
        masks : int
            How many nets.

        Returns
        -------
        mean, std : ndarray, shape (N, n_tasks)

        Raises
        ------
        ValueError
            If the model was made without ``uncertainty=True``.

        Notes
        -----
        DeepChem draws a mask for each row. Here all rows go through the same thinned nets, so a row's result does not depend
        on the others. The masks follow from ``seed`` (0 where it is None): two calls give the same bits.

        References
        ----------
        Kendall and Gal, "What uncertainties do we need in Bayesian deep learning?", arXiv:1703.04977.

        Examples
        --------
        >>> import numpy as np, catalase as ct
        >>> model = ct.models.MultitaskRegressor(1, 4, layer_sizes=[8], seed=0, uncertainty=True)
        >>> mean, std = model.predict_uncertainty(np.ones((2, 4), np.float32))
        >>> mean.shape, std.shape, bool((std > 0).all())
        ((2, 1), (2, 1), True)
        """
        where = f"{type(self).__name__}.predict_uncertainty"
        if not self.uncertainty:
            raise ValueError(
                f"{where}: the model has no variance output, which dataset needs; make it with uncertainty=True"
            )
        masks = whole_number(where, "masks", masks, 1, _MOST_MASKS)
        chosen = chosen_transformers(where, transformers, raw)
        undo = [t for t in check_transformers(where, self.transformers if chosen is None else chosen) if t.transform_y]
        for transformer in undo:
            if not hasattr(transformer, "untransform_spread"):
                raise TypeError(
                    f"{where}: transformers must say what becomes of a standard deviation (untransform_spread), which "
                    f"{shown(transformer)} does not; give raw=True"
                )
        net = copy.deepcopy(self.module)
        net.set_seed(0 if self.seed is None else self.seed)
        thinned = partial(self._thinned, net=net, masks=masks, undo=undo)

        def answer(rows: Any) -> NDArray[Any]:
            return self._in_slices(where, rows, thinned)

        items = self._datapoints(where, dataset, self.featurizer)
        if items is None:
            self._check_features_alike(where, dataset)
            found = answer(dataset)
        else:
            found = self._answers(where, items, answer, "raise").predictions
        return np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1])

    def _thinned(
        self, where: str, X: NDArray[Any], net: nn.Module, masks: int, undo: Sequence[Any]
    ) -> NDArray[np.float32]:
        """Mean and standard deviation of some rows, (N, 2, n_tasks), by so many thinned copies of ``net``."""
        rows = self._checked_input(where, X)
        means, variances = [], []
        for mask in range(masks):
            for layer in net.random_layers():
                layer.forward = partial(_thin, layer, mask)
            with nn.inference(), no_grad():
                output = self._forward(net, rows).numpy()
            std = np.exp(0.5 * output[:, 1].astype(np.float64))
            for transformer in reversed(undo):
                std = transformer.untransform_spread(std)
            means.append(undo_transforms(output[:, 0].astype(np.float64), undo))
            variances.append(std * std)
        each = np.stack(means)
        return np.stack([each.mean(axis=0), np.sqrt(each.var(axis=0) + np.mean(variances, axis=0))], axis=1).astype(
            np.float32
        )


def _thin(layer: nn.Dropout, mask: int, x: Tensor) -> Tensor:
    """Drop the same values of all rows."""
    ones = np.ones(x.shape[-1:], x.dtype)
    kept = ops.dropout(ones, layer.rate, seed=layer.seed, layer=layer.layer, step=mask)
    return x * Tensor(to_device_of(kept, x.data))
