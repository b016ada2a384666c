"""The focal loss of one truth, its slope and its curvature, in closed form.

The truth is one of two answers, with logit x_t: p = σ(x_t) is the
probability given to it, q = 1 − p is what is left, and ce = −log p. Then

    FL   = q^γ ce
    FL′  = −q^γ (q + γ p ce)
    FL″  = q^γ p ((1 + 2γ) q − γ (q − γ p) ce)

where ′ is the derivative along x_t (Lin et al. 2017, appendix B). No power
γ − 1 and no logarithm of a rounded number occurs: they are right at any
finite logit and γ >= 0. A class among many is the truth against all others
together; its logit is then its `margin`, so that p_t = σ(margin).
"""

from typing import NamedTuple

import torch
from torch.nn import functional as F


class Truth(NamedTuple):
    """What loss, slope and curvature need to know of the truth."""

    ce: torch.Tensor  # −log p
    p: torch.Tensor
    q: torch.Tensor  # 1 − p, which as a difference would lose its digits
    factor: torch.Tensor  # q^γ


def truth(n, gamma):
    """Return the `Truth` whose logit is −n, right at any logit.

    softplus is log(1 + e^n) below its threshold and n above: at PyTorch's
    threshold of 20 that loses digits of float64, at 40 it does not.
    """
    ce, q = F.softplus(n, threshold=40.0), torch.sigmoid(n)
    # σ(−n) in two factors keeps what e^n is too large for
    p = torch.exp(-n.clamp(min=0)) * torch.sigmoid(n.abs())
    return Truth(ce, p, q, q**gamma)


def loss(truth):
    """Return FL."""
    return truth.factor * truth.ce


def slope(truth, gamma):
    """Return FL′."""
    ce, p, q, factor = truth
    return -factor * (q + gamma * p * ce)


def curvature(truth, gamma):
    """Return FL″."""
    ce, p, q, factor = truth
    return factor * p * ((1 + 2 * gamma) * q - gamma * (q - gamma * p) * ce)


def margin(z, t, dim):
    """Return z_t − log Σ_{j≠t} exp z_j, the largest z_j, and that sum.

    The axis `dim` is kept, with one element; the sum is of exp(z_j −
    largest). z_t − logsumexp(z) is log p_t on paper; in floats it has lost
    its digits where p_t nears 1.
    """
    others = without(z, t, dim)
    top = others.amax(dim, keepdim=True)
    total = others.sub_(top).exp_().sum(dim, keepdim=True)
    own = z.gather(dim, t.unsqueeze(dim))
    return own - top - total.log(), top, total


def without(z, t, dim):
    """Return a copy of `z` with −inf at the true class."""
    return z.scatter(dim, t.unsqueeze(dim), -torch.inf)


def working(dtype):
    """Return the type to compute in: float32 at least."""
    return dtype if dtype == torch.float64 else torch.float32
