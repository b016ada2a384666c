"""The smallest classifier worth training: one hidden layer, and gradient
descent with momentum on any loss that autograd can differentiate."""

import sys

import autograd.numpy as np
import numpy
from autograd import grad
from threadpoolctl import threadpool_limits

HIDDEN = 16


def start(seed, *, prior=0.01):
    """Return untrained weights for which every image has p near `prior`.

    The last bias is −log((1−π)/π): Lin et al. 2017, section 4.1.
    """
    draw = numpy.random.default_rng(seed)
    return {
        "hidden": draw.normal(0, 1 / 8, (64, HIDDEN)),
        "hidden_bias": numpy.zeros(HIDDEN),
        "last": draw.normal(0, 1 / 4, HIDDEN),
        "last_bias": -numpy.log((1 - prior) / prior),
    }


def logits(weights, images):
    """Return one logit for each image, a row of 64 pixels."""
    hidden = np.matmul(images, weights["hidden"]) + weights["hidden_bias"]
    return np.matmul(np.tanh(hidden), weights["last"]) + weights["last_bias"]


def train(images, labels, loss, *, seed, steps=100, rate=0.015, keep=0.9):
    """Return weights trained on all images at once.

    ``loss(logits, labels)`` is one number. Each step keeps the part `keep`
    of the last and adds `rate` times the gradient, downhill.
    """
    weights = start(seed)
    velocity = {name: 0 * weight for name, weight in weights.items()}
    slope = grad(lambda weights: loss(logits(weights, images), labels))
    for _ in range(steps):
        for name, gradient in slope(weights).items():
            velocity[name] = keep * velocity[name] - rate * gradient
            weights[name] = weights[name] + velocity[name]
    return weights


# One thread: faster for matrices this small, and the same sums everywhere.
# A browser has no other, and warns when asked about it.
if sys.platform != "emscripten":
    train = threadpool_limits.wrap(limits=1)(train)
