"""A bad argument to any public function is named, with its reason."""

import numpy as np
import pytest
import torch

from focal_edu import (
    cross_entropy,
    focal_loss,
    gradient_ratio,
    sigmoid_focal_gradient,
    sigmoid_focal_loss,
    softmax_focal_gradient,
    softmax_focal_loss,
)
from focal_edu.digits import rare_digit
from focal_edu.gradients import (
    gradient_crossing,
    gradient_peak,
    inflection,
    sigmoid_focal_curvature,
)

NAN, INF = float("nan"), float("inf")
ELEMENTWISE = (
    sigmoid_focal_loss,
    sigmoid_focal_gradient,
    sigmoid_focal_curvature,
)
PER_EXAMPLE = (softmax_focal_loss, softmax_focal_gradient)
Z = [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]

BAD_GAMMA = [
    ({"gamma": gamma}, error, "gamma")
    for gamma, error in (
        (-1, ValueError),
        (NAN, ValueError),
        (INF, ValueError),
        ("2", TypeError),
        (None, TypeError),
        (True, TypeError),
        (2j, TypeError),
        ([2.0], TypeError),
    )
]
BAD_ALPHA = [
    ({"alpha": alpha}, error, "alpha")
    for alpha, error in (
        (-0.25, ValueError),
        (1.5, ValueError),
        (NAN, ValueError),
        ("0.25", TypeError),
    )
]
BAD_BINARY = [
    ((NAN, 1), ValueError, "{x}"),
    (("0.5", 1), TypeError, "{x}"),
    ((None, 1), TypeError, "{x}"),
    ((0.5j, 1), TypeError, "{x}"),
    ((True, 1), TypeError, "{x}"),
    ((0.5, 2), ValueError, "{y}"),
    ((0.5, -1), ValueError, "{y}"),
    ((0.5, NAN), ValueError, "{y}"),
    ((0.5, "1"), TypeError, "{y}"),
    ((0.5, [1]), ValueError, "{y}"),
    (([[0.5], [0.5]], [1, 1]), ValueError, "{y}"),
]
BAD_CLASSES = [
    ((1.0, 0), {}, ValueError, "logits"),
    (([1.0], 0), {}, ValueError, "logits"),
    (([[NAN, 1.0]], [0]), {}, ValueError, "logits"),
    ((Z, [0, 3]), {}, ValueError, "targets"),
    ((Z, [0, -1]), {}, ValueError, "targets"),
    ((Z, [0]), {}, ValueError, "targets"),
    ((Z, [[0], [1]]), {}, ValueError, "targets"),
    ((Z, np.eye(2, 3, dtype=int)), {}, ValueError, "targets.*floating"),
    ((Z, [0.0, 1.0]), {}, TypeError, "targets"),
    ((Z, np.full((2, 3), 1.5)), {}, ValueError, "targets"),
    ((Z, np.ones((3, 2))), {}, TypeError, "targets"),
    ((Z, [0, 1]), {"alpha": 0.25}, ValueError, "alpha"),
    ((Z, [0, 1]), {"alpha": [1, 2]}, ValueError, "alpha"),
    ((Z, [0, 1]), {"alpha": [1, 2, -1]}, ValueError, "alpha"),
    ((Z, [0, 1]), {"alpha": [1, 2, INF]}, ValueError, "alpha"),
    ((Z, [0, 1]), {"alpha": [1, 2, "3"]}, TypeError, "alpha"),
    ((Z, [0, 1]), {"alpha": [[1, 2, 3]]}, TypeError, "alpha"),
]


def refuses(function, args, keys, error, name):
    with pytest.raises(error, match=rf"\b{name}\b"):
        function(*args, **keys)


@pytest.mark.parametrize(("args", "error", "name"), BAD_BINARY)
def test_binary_arrays(args, error, name):
    for function in ELEMENTWISE:
        refuses(
            function, args, {}, error, name.format(x="logits", y="targets")
        )
    for function in (cross_entropy, focal_loss):
        refuses(function, args, {}, error, name.format(x="p", y="y"))


@pytest.mark.parametrize("p", [0, 1, -0.1, 1.1])
def test_probabilities_lie_strictly_between_zero_and_one(p):
    for function in (cross_entropy, focal_loss):
        refuses(function, (p, 1), {}, ValueError, "p")
    refuses(gradient_ratio, (p, 2), {}, ValueError, "p_t")


@pytest.mark.parametrize(("keys", "error", "name"), BAD_GAMMA + BAD_ALPHA)
def test_gamma_and_alpha(keys, error, name):
    for function in ELEMENTWISE:
        refuses(function, (0.5, 1), keys, error, name)
    refuses(focal_loss, (0.5, 1), keys, error, name)
    for function in PER_EXAMPLE:
        refuses(function, (Z, [0, 1]), keys, error, name)


@pytest.mark.parametrize("bad", [[0.5], [0.5, 2], [0.5, -1], "ab"])
def test_alpha_of_the_labels(bad):
    error = TypeError if bad == "ab" else ValueError
    for function in ELEMENTWISE:
        refuses(
            function, ([[1.0, 2.0]], [[1, 0]]), {"alpha": bad}, error, "alpha"
        )


@pytest.mark.parametrize(("args", "keys", "error", "name"), BAD_CLASSES)
def test_classes(args, keys, error, name):
    for function in PER_EXAMPLE:
        refuses(function, args, keys, error, name)


def test_a_scalar_alpha_for_classes_shows_what_may_have_been_meant():
    with pytest.raises(ValueError, match=r"\[0\.25, 0\.25, 0\.25\]"):
        softmax_focal_loss(Z, [0, 1], alpha=0.25)
    with pytest.raises(ValueError, match=r"\[0\.75, 0\.25, 0\.25\]"):
        softmax_focal_loss(Z, [0, 1], alpha=0.25)


@pytest.mark.parametrize(("keys", "error", "name"), BAD_GAMMA)
def test_gamma_of_the_ratio(keys, error, name):
    refuses(gradient_ratio, (0.5, keys["gamma"]), {}, error, name)
    for function in (gradient_crossing, gradient_peak, inflection):
        refuses(function, (keys["gamma"],), {}, error, name)
        refuses(function, (0,), {}, ValueError, name)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"digit": 10}, ValueError),
        ({"digit": "8"}, TypeError),
        ({"negatives": 0}, ValueError),
        ({"negatives": 5000}, ValueError),
        ({"positives": 174}, ValueError),
        ({"positives": 10.0}, TypeError),
        ({"seed": -1}, ValueError),
        ({"seed": None}, TypeError),
    ],
)
def test_rare_digit(keys, error):
    refuses(rare_digit, (), keys, error, *keys)


@pytest.mark.parametrize(
    ("function", "arrays", "instead"),
    [
        (cross_entropy, (0.5, 1.0), "sigmoid_focal_loss"),
        (focal_loss, (0.5, 1.0), "sigmoid_focal_loss"),
        (sigmoid_focal_loss, (0.5, 1.0), "sigmoid_focal_loss"),
        (sigmoid_focal_gradient, (0.5, 1.0), "sigmoid_focal_loss"),
        (softmax_focal_loss, (Z, [0, 1]), "softmax_focal_loss"),
        (softmax_focal_gradient, (Z, [0, 1]), "softmax_focal_loss"),
    ],
)
def test_a_tensor_is_sent_to_the_room_that_takes_it(
    function, arrays, instead
):
    """One tensor among arrays is refused, a module's parameter as well."""
    for place in range(2):
        given = list(arrays)
        given[place] = torch.tensor(given[place])
        refuses(
            function, given, {}, TypeError, f"focal_edu.pytorch.{instead}"
        )
    given = torch.nn.Parameter(torch.tensor(arrays[0])), arrays[1]
    refuses(function, given, {}, TypeError, f"focal_edu.pytorch.{instead}")


def test_one_number_for_many_classes_is_answered_by_what_was_meant():
    """At 0.5 both things that may have been meant are the same weights."""
    for alpha, count in ((0.25, 2), (0.5, 1)):
        with pytest.raises(ValueError, match="alpha") as refused:
            softmax_focal_loss(Z, [0, 1], alpha=alpha)
        assert str(refused.value).count("[") == count


def test_losses_take_gamma_and_alpha_by_name_only():
    with pytest.raises(TypeError):
        focal_loss(0.5, 1, 2.0)
    with pytest.raises(TypeError):
        sigmoid_focal_loss(0.5, 1, 2.0)
