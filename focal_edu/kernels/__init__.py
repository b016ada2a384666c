"""Closed-form forward and backward pairs, made fast.

Two pieces serve every task. `sigmoid_focal` is the loss of each element.
`class_margin` turns softmax into sigmoid, p_t = σ(m_t), so that the
multi-class loss is the sigmoid loss at the margin of the true class. No
power γ − 1 and no logarithm of a rounded number occurs in a value or in a
first or second derivative: they are right at any finite logit and γ >= 0.
Half precision is worked in float32.

On a CPU the formulas run over pieces that stay in cache, the slope is
computed along with the loss, and results lie on huge pages. Under
``torch.compile`` the same formulas are left whole, to be fused.
"""

from .margins import class_margin, class_margins
from .sigmoid import sigmoid_focal

__all__ = ["class_margin", "class_margins", "sigmoid_focal"]
