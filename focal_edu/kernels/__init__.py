"""Closed-form forward and backward pairs, made fast.

`sigmoid_focal` is the loss of each element. A margin turns softmax into
sigmoid, p_t = σ(m_t), so `softmax_focal` is the sigmoid loss at the margin
of the true class. No power γ − 1 and no logarithm of a rounded number
occurs in a value or in a first or second derivative: they are right at any
finite logit and γ >= 0. Half precision is worked in float32.

On a CPU the formulas run over pieces that stay in cache, the slope is
computed along with the loss, and results lie on huge pages. Softmax then
needs no margin where no exponential leaves its range: the odds against the
true class are a quotient of two sums. Under ``torch.compile`` the formulas
are left whole, to be fused.
"""

from .margins import class_margins
from .sigmoid import sigmoid_focal
from .softmax import softmax_focal

__all__ = ["class_margins", "sigmoid_focal", "softmax_focal"]
