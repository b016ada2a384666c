"""Stills of the moving pictures: each at its controls' first values.

The functions bear the names of the specifications in `focal_edu.explore`,
and draw the same numbers from the package's own functions.
"""

import numpy as np

from ..gradients import (
    gradient_crossing,
    gradient_peak,
    gradient_ratio,
    sigmoid_focal_gradient,
)
from ..reference import focal_loss, sigmoid_focal_loss
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    label_line,
    lesson_figure,
)

P_T = np.linspace(0.01, 0.99, 99)
ONES = np.ones_like(P_T)
P_T_LABEL = "p_t, probability given to the truth"
POSITIVE_LOOK = {"color": VERMILION, "ls": "-"}
NEGATIVE_LOOK = {"color": BLUE, "ls": (0, (4, 1.5))}


@lesson_figure
def loss_at_gamma(figure, gamma=2.0, example=0.9):
    """Return CE and FL over p_t, and both losses of one example."""
    axes = _axes(figure, 3.8)
    axes.plot(P_T, focal_loss(P_T, ONES, gamma=0), "--", color=BLACK)
    axes.plot(P_T, focal_loss(P_T, ONES, gamma=gamma), color=BLUE)
    ce, fl = focal_loss(example, 1, gamma=0), focal_loss(example, 1, gamma=2)
    axes.plot(example, ce, "o", mfc="white", mec=BLACK, ms=8)
    axes.plot(example, fl, "o", color=BLUE, ms=8)
    label_line(axes, 0.36, 1.02, "cross entropy", BLACK)
    axes.text(0.02, 0.2, "focal loss", color=BLUE, weight="bold")
    axes.set(xlabel=P_T_LABEL, xlim=(0, 1), ylim=(0, 4.7))
    axes.set_ylabel("loss (nats)")
    axes.set_title(
        f"γ = {gamma:.2f}, p_t = {example:.2f}: cross entropy {ce:.5f}\n"
        f"focal loss {fl:.5f}, {ce / fl:,.2f} times lower"
    )
    return (
        "Cross entropy, dashed, and focal loss, solid, over p_t. At gamma "
        f"{gamma:g} an example with p_t = {example:g} has cross entropy "
        f"{ce:.5f} and focal loss {fl:.5f}, {ce / fl:,.2f} times less. "
        "Controls change gamma and the example."
    )


@lesson_figure
def batch_share(figure, gamma=2.0, n=100):
    """Return the hard example's share of a batch's loss, CE and FL."""
    axes = _axes(figure, 2.4)
    shares = []
    for row, power in enumerate((0, gamma)):
        hard = focal_loss(0.1, 1, gamma=power)
        share = hard / (hard + n * focal_loss(0.9, 1, gamma=power))
        axes.barh(row, 1, 0.65, color="#DCE7EE")
        axes.barh(row, share, 0.65, color=VERMILION)
        axes.text(
            share + 0.01 if share < 0.5 else 0.01,
            row,
            f"hard example: {100 * share:.1f} %",
            weight="bold",
            va="center",
        )
        shares.append(100 * share)
    ce, fl = shares
    axes.set(xlim=(0, 1), xlabel="share of the batch's loss")
    axes.set_xticks((0, 0.25, 0.5, 0.75, 1))
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    axes.set_yticks((0, 1), ("cross entropy", "focal loss"))
    axes.invert_yaxis()
    axes.grid(False)
    axes.set_title(
        f"γ = {gamma:.2f}: one hard example, {n} easy\n"
        f"The hard one carries {fl:.1f} % of the loss"
    )
    return (
        f"Two bars: the share of a batch's loss that one hard example, p_t "
        f"0.1, carries among {n} easy ones, p_t 0.9. Under cross entropy "
        f"{ce:.1f} per cent; under focal loss with gamma {gamma:g}, "
        f"{fl:.1f} per cent. Controls change gamma and the number of easy "
        "examples."
    )


@lesson_figure
def ratio_at_gamma(figure, gamma=2.0):
    """Return g(p_t, γ) at one γ, its peak and crossing labelled."""
    axes = _axes(figure, 4)
    p_t = np.linspace(0.002, 0.998, 499)
    axes.axhline(1, color=BLACK, ls="--", lw=1.2)
    axes.text(0.99, 0.92, "CE", ha="right")
    axes.plot(p_t, gradient_ratio(p_t, gamma), color=BLUE)
    at, top = gradient_peak(gamma)
    crossing = gradient_crossing(gamma)
    axes.plot(at, top, "^", color=BLUE, ms=9)
    axes.plot(crossing, 1, "o", color=BLUE, ms=8)
    axes.text(at + 0.02, top + 0.09, f"peak {top:.3f} at p_t = {at:.3f}")
    axes.text(crossing + 0.02, 1.03, f"crosses 1 at {crossing:.3f}")
    axes.set(xlabel=P_T_LABEL, xlim=(0, 1), ylim=(0, 1.6))
    axes.set_ylabel("g = FL's gradient / CE's gradient")
    axes.set_title(f"γ = {gamma:.2f}: FL's gradient over CE's")
    return (
        f"The gradient ratio g over p_t at gamma {gamma:g}. It rises from 1 "
        f"to a peak of {top:.3f} at p_t = {at:.3f}, falls through 1 at p_t "
        f"= {crossing:.3f} and reaches 0 at p_t = 1. A control changes "
        "gamma."
    )


@lesson_figure
def loss_over_logit(figure, gamma=2.0, alpha=0.25, x=0.0):
    """Return loss and slope of a positive and a negative over the logit."""
    figure.set_size_inches(8, 5.4)
    above, below = figure.subplots(2, 1, sharex=True)
    logits, here = np.linspace(-6, 6, 121), np.array([x])
    focal = {"gamma": gamma, "alpha": alpha}
    said = []
    for y, look in ((1, POSITIVE_LOOK), (0, NEGATIVE_LOOK)):
        at, one = np.full(logits.shape, y), np.array([y])
        above.plot(logits, sigmoid_focal_loss(logits, at, **focal), **look)
        slope = sigmoid_focal_gradient(logits, at, **focal)
        below.plot(logits, slope, **look)
        (loss,) = sigmoid_focal_loss(here, one, **focal)
        (slope,) = sigmoid_focal_gradient(here, one, **focal)
        said.append(f"loses {loss:.4f}, slope {slope:.4f}".replace("-", "−"))
    for axes in (above, below):
        axes.axvline(x, color=GREY, ls=":")
    above.text(-5.8, 6.3, "positive", weight="bold")
    look = {"weight": "bold", "ha": "right"}
    above.text(5.8, 6.3, "negative, dashed", **look)
    above.set(ylim=(0, 7), ylabel="loss (nats)")
    below.set(ylim=(-1.3, 1.3), ylabel="slope", xlabel="x, logit")
    below.set_xlim(-6, 6)
    p = 1 / (1 + np.exp(-x))
    above.set_title(
        f"At x = {x:.1f}, p = {p:.3f}:\n"
        f"a positive {said[0]}\na negative {said[1]}"
    )
    return (
        "Two panels over the logit x, loss above and slope below, for a "
        f"positive, solid, and a negative, dashed; gamma {gamma:g}, alpha "
        f"{alpha:g}. At x = {x:g} a positive {said[0]}; a negative "
        f"{said[1]}. Controls change gamma, alpha and x."
    )


@lesson_figure
def first_loss(figure, bias=-4.6, gamma=2.0, alpha=0.25):
    """Return the first loss of 100,000 negatives and of one positive."""
    axes = _axes(figure, 4)
    b = np.append(np.linspace(-8, 0, 161), bias)
    focal = {"gamma": gamma, "alpha": alpha}
    negatives = 1e5 * sigmoid_focal_loss(b, np.zeros_like(b), **focal)
    positive = sigmoid_focal_loss(b, np.ones_like(b), **focal)
    axes.semilogy(b[:-1], negatives[:-1], **NEGATIVE_LOOK)
    axes.semilogy(b[:-1], positive[:-1], **POSITIVE_LOOK)
    axes.axvline(bias, color=GREY, ls=":")
    axes.text(
        -0.1, 2e5, "100,000 negatives, dashed", weight="bold", ha="right"
    )
    axes.text(-7.9, 8, "one positive", weight="bold")
    axes.set(xlim=(-8, 0), ylim=(1e-4, 1e6), ylabel="first loss (nats)")
    axes.set_xlabel("b, the last layer's first bias")
    prior, all_of_them = 1 / (1 + np.exp(-bias)), negatives[-1]
    digits = ".4f" if all_of_them < 10 else ",.1f"
    shown = f"b = {bias:.2f}, so π = {prior:.4f}".replace("-", "−")
    axes.set_title(
        f"{shown}: first loss\n100,000 negatives together "
        f"{all_of_them:{digits}}\none positive {positive[-1]:.4f}"
    )
    return (
        "First loss on a logarithmic axis over the last layer's bias b, for "
        "100,000 negatives together, dashed, and for one positive, solid; "
        f"gamma {gamma:g}, alpha {alpha:g}. At {shown}, "
        f"the negatives have {all_of_them:{digits}} and the positive "
        f"{positive[-1]:.4f}. Controls change b, gamma and alpha."
    )


@lesson_figure
def winning_p_t(figure, classes=10, gamma=2.0):
    """Return g(p_t, γ), and g at 1/C, the least p_t that can win."""
    axes = _axes(figure, 3.8)
    p_t = np.linspace(0.005, 0.995, 199)
    axes.axvspan(1 / classes, 1, color=GREEN, alpha=0.2, lw=0)
    axes.axhline(1, color=BLACK, ls="--", lw=1.2)
    axes.plot(p_t, gradient_ratio(p_t, gamma), color=BLUE)
    ratio = gradient_ratio(1 / classes, gamma)
    axes.plot(1 / classes, ratio, "o", color=BLUE, ms=8)
    axes.text(0.99, 1.48, "p_t that can win", ha="right")
    axes.set(xlabel=P_T_LABEL, xlim=(0, 1), ylim=(0, 1.6))
    axes.set_ylabel("FL's gradient / CE's gradient")
    axes.set_title(
        f"γ = {gamma:.2f}, C = {classes}: "
        f"p_t above {1 / classes:.3f} can win\n"
        f"there FL's gradient is {ratio:.3f} times CE's"
    )
    return (
        f"The gradient ratio over p_t at gamma {gamma:g}; shaded, the p_t "
        f"that can win among {classes} classes, from {1 / classes:.3f} up. "
        f"At that edge the ratio is {ratio:.3f}. Controls change the number "
        "of classes and gamma."
    )


@lesson_figure
def float_map(figure, dtype=np.float32, x=15.0):
    """Return −log(1 − σ(x)) as a format keeps it, beside softplus(x)."""
    axes = _axes(figure, 4)
    logits = np.append(np.linspace(0, 40, 161), x)
    true = np.logaddexp(0, logits)
    p = 1 / (1 + np.exp(-logits.astype(dtype)))
    kept = (1 - p).astype(float)
    naive = -np.log(kept, out=np.full_like(kept, -np.inf), where=kept > 0)
    finite = np.isfinite(naive)
    axes.plot(logits[:-1], true[:-1], "--", color=BLACK, lw=1.4)
    axes.plot(logits[:-1][finite[:-1]], naive[:-1][finite[:-1]], color=BLUE)
    infinite = logits[:-1][~finite[:-1] & (logits[:-1] % 1 == 0)]
    axes.plot(infinite, np.full_like(infinite, 41), "^", color=VERMILION)
    axes.axvline(x, color=GREY, ls=":")
    label = "−log(1 − σ(x)), as kept"
    axes.text(0.7, 37, "▲ infinite", color="#A34700", weight="bold")
    axes.text(0.7, 33, label, color=BLUE, weight="bold")
    axes.text(0.7, 29, "- -  softplus(x), the true loss")
    axes.set(xlim=(0, 40), ylim=(0, 42), ylabel="loss (nats)")
    axes.set_xlabel("x, logit of a negative")
    bits = np.finfo(dtype).nmant + 1
    said = f"{naive[-1]:.4f}" if finite[-1] else "infinite"
    first = infinite[0] if len(infinite) else np.inf
    axes.set_title(
        f"{bits} bits at x = {x:.1f}\n1 − p is kept as "
        f"{_short(kept[-1])} (true {_short(np.exp(-true[-1]))})\n"
        f"−log(1 − p) is {said} (true {true[-1]:.4f})"
    )
    return (
        f"Loss of a negative over its logit, in a format of {bits} bits: "
        "minus log of (1 minus p), solid, follows the true loss, dashed, at "
        f"first, then in steps, and is infinite from x = {first:g}. At x = "
        f"{x:g} it is {said}, where {true[-1]:.4f} is true. Controls change "
        "the format and x."
    )


def _axes(figure, height):
    figure.set_size_inches(8, height)
    return figure.add_subplot()


def _short(number):
    """A number in scientific notation, as Vega writes it."""
    mantissa, exponent = f"{number:.3e}".split("e")
    return f"{mantissa}e{int(exponent)}"
