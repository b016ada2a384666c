"""Every bad argument to the PyTorch losses is named, with its reason."""

import pytest
import torch

from focal_edu import FocalLoss

NAN, INF = float("nan"), float("inf")
X, Y = torch.zeros(4, 3), torch.ones(4, 3)
T = torch.tensor([0, 1, 2, 0])
CLASSES = {"task_type": "multi-class"}
LABELS = {"task_type": "multi-label"}

BAD_SETTINGS = [
    ({"gamma": -1}, ValueError, "gamma"),
    ({"gamma": NAN}, ValueError, "gamma"),
    ({"gamma": INF}, ValueError, "gamma"),
    ({"gamma": "2"}, TypeError, "gamma"),
    ({"gamma": None}, TypeError, "gamma"),
    ({"gamma": True}, TypeError, "gamma"),
    ({"gamma": [2.0]}, TypeError, "gamma"),
    ({"gamma": torch.tensor(2.0)}, TypeError, "gamma"),
    ({"alpha": -0.25}, ValueError, "alpha"),
    ({"alpha": 1.5}, ValueError, "alpha"),
    ({"alpha": NAN}, ValueError, "alpha"),
    ({"alpha": "0.25"}, TypeError, "alpha"),
    ({"alpha": True}, TypeError, "alpha"),
    ({"alpha": [0.25, 0.75]}, TypeError, "alpha"),
    ({"alpha": 0.25, **CLASSES}, ValueError, "alpha.*many classes"),
    ({"alpha": 0.25, "num_classes": 3, **CLASSES}, ValueError, "0.75, 0.25"),
    ({"alpha": [1, 2], "num_classes": 3, **CLASSES}, ValueError, "alpha"),
    ({"alpha": [1, 2, -1], **CLASSES}, ValueError, "alpha"),
    ({"alpha": [1, 2, INF], **CLASSES}, ValueError, "alpha"),
    ({"alpha": torch.ones(3, 1), **CLASSES}, TypeError, "alpha"),
    ({"alpha": {0: 1.0}, **CLASSES}, TypeError, "alpha"),
    ({"alpha": [0.5, 1.5], **LABELS}, ValueError, "alpha"),
    ({"alpha": [0.5], "num_classes": 2, **LABELS}, ValueError, "alpha"),
    ({"reduction": "average"}, ValueError, "reduction.*'mean_positive'"),
    ({"reduction": None}, TypeError, "reduction"),
    ({"reduction": "mean_positive", **CLASSES}, ValueError, "reduction"),
    ({"task_type": "multiclass"}, ValueError, "task_type.*'multi-class'"),
    ({"task_type": 3}, TypeError, "task_type"),
    ({"num_classes": 2}, ValueError, "num_classes"),
    ({"num_classes": 1, **CLASSES}, ValueError, "num_classes"),
    ({"num_classes": 3.0, **CLASSES}, TypeError, "num_classes"),
    ({"num_classes": 0, **LABELS}, ValueError, "num_classes"),
    ({"ignore_index": 1.5, **CLASSES}, TypeError, "ignore_index"),
    ({"ignore_index": 255}, ValueError, "ignore_index"),
]
BAD_TENSORS = [
    ({}, [[0.0]], Y, TypeError, "input"),
    ({}, X.numpy(), Y, TypeError, "input"),
    ({}, X.long(), Y, TypeError, "input"),
    ({}, X.bool(), Y, TypeError, "input"),
    ({}, X.to(torch.complex64), Y, TypeError, "input"),
    ({}, X, [[1.0]], TypeError, "target"),
    ({}, X, 1, TypeError, "target"),
    ({}, X, Y.to(torch.complex64), TypeError, "target"),
    ({}, X, Y[:, :1], ValueError, "target"),
    ({}, X, Y[0], ValueError, "target"),
    ({}, torch.zeros(4, 1), torch.zeros(4), ValueError, "target"),
    ({}, X, T, ValueError, "indices are for task_type='multi-class'"),
    ({}, X[:, :1], T, ValueError, "nothing is broadcast$"),
    ({}, X, 2 * Y, ValueError, "target"),
    ({}, X, -Y, ValueError, "target"),
    ({}, X, Y * NAN, ValueError, "target"),
    ({}, X, Y * INF, ValueError, "target"),
    ({}, X, 2 * Y.long(), ValueError, "target"),
    ({}, X, Y.clone().requires_grad_(), ValueError, "target"),
    ({}, X, Y.to("meta"), ValueError, "target"),
    ({"num_classes": 5, **LABELS}, X, Y, ValueError, "input"),
    ({"num_classes": 1, **LABELS}, X[0, 0], Y[0, 0], ValueError, "input"),
    ({"alpha": [0.1, 0.2], **LABELS}, X, Y, ValueError, "alpha"),
    (CLASSES, X[:, :1], T, ValueError, "input"),
    (CLASSES, X[0, 0], T[0], ValueError, "input"),
    ({"num_classes": 5, **CLASSES}, X, T, ValueError, "input"),
    (CLASSES, X, T[:2], ValueError, "target"),
    (CLASSES, X, T.unsqueeze(1), ValueError, "target"),
    (CLASSES, X, T.float(), TypeError, "target"),
    (CLASSES, X, T.bool(), TypeError, "target"),
    (CLASSES, X, Y.T, TypeError, "target"),
    (
        CLASSES,
        X,
        Y.long(),
        ValueError,
        "int64 of that shape: use target.float",
    ),
    (CLASSES, X, Y.bool(), TypeError, "bool of that shape: use target.float"),
    (CLASSES, X, T + 1, ValueError, "target"),
    (CLASSES, X, T - 1, ValueError, "target"),
    (CLASSES, X, 2 * Y, ValueError, "target"),
    (CLASSES, X, Y * NAN, ValueError, "target"),
    (CLASSES, X, T.tolist(), TypeError, "target"),
    (CLASSES, X, Y.clone().requires_grad_(), ValueError, "target"),
    ({"alpha": [1, 2], **CLASSES}, X, T, ValueError, "alpha"),
    ({"ignore_index": 0, **CLASSES}, X, T + 1, ValueError, "ignore_index=0"),
]


@pytest.mark.parametrize(("settings", "error", "named"), BAD_SETTINGS)
def test_bad_settings(settings, error, named):
    with pytest.raises(error, match=named):
        FocalLoss(**settings)


@pytest.mark.parametrize(
    ("settings", "input", "target", "error", "named"), BAD_TENSORS
)
def test_bad_tensors(settings, input, target, error, named):
    loss = FocalLoss(**settings)
    with pytest.raises(error, match=named):
        loss(input, target)


def test_there_are_at_least_forty():
    assert len(BAD_SETTINGS) + len(BAD_TENSORS) >= 40


def test_an_ignored_index_may_be_anything():
    loss = FocalLoss(task_type="multi-class", ignore_index=255)
    assert loss(X, torch.full((4,), 255, dtype=torch.uint8)) == 0
    assert FocalLoss(task_type="multi-class")(X, T.to(torch.uint8) + 0) > 0


def test_a_byte_is_not_minus_one_hundred():
    """156 as an unsigned byte has the bits of −100 as a signed one."""
    target = torch.tensor([156, 0, 0, 0], dtype=torch.uint8)
    with pytest.raises(ValueError, match="156"):
        FocalLoss(task_type="multi-class")(X, target)
