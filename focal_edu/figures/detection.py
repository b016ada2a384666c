"""The small detector of lesson 06: its scenes, its losses, its mistakes."""

import numpy as np
from matplotlib.patches import Rectangle

from .style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    PAGE_DPI,
    VERMILION,
    lesson_figure,
)
from .training import PENS


def _scene(axes, image):
    side = len(image)
    image = np.round(8 * np.asarray(image)) / 8  # half as many bytes
    axes.imshow(
        image, cmap="gray_r", vmin=0, vmax=1, extent=(0, side, side, 0)
    )
    axes.set(xticks=[], yticks=[])
    axes.grid(False)


def _box(axes, box, colour, style="-", width=2.2):
    left, top, right, bottom = map(float, box)
    axes.add_patch(
        Rectangle(
            (left, top),
            right - left,
            bottom - top,
            fill=False,
            edgecolor=colour,
            linestyle=style,
            linewidth=width,
        )
    )


def _label(axes, box, colour, text, shift=0):
    at = {"ha": "left", "va": "bottom", "fontweight": "bold"}
    x, y = float(box[0]) + shift, float(box[1]) - 0.5
    axes.text(x, y, str(text), color=colour, fontsize=11, **at)


def label_shifts(boxes):
    """Return by how many pixels each label goes to the right of its box, so
    that those of boxes at one place stand side by side."""
    corners = np.array([box[:2] for box in boxes]).reshape(-1, 2)
    near = np.abs(corners[:, None] - corners).max(2) < 4
    return 3.5 * np.tril(near, -1).sum(1)


@lesson_figure
def scene_and_anchors(figure, image, boxes, labels, anchors, given):
    """Return a scene with its objects, and with the centres of its anchors.

    `given` is what `assign` says of each anchor.
    """
    figure.set_size_inches(7.2, 3.9)
    figure.set_dpi(PAGE_DPI)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        _scene(axes, image)
        axes.set(xlim=(0, len(image)), ylim=(len(image), 0))
    for box, label in zip(boxes, labels, strict=True):
        _box(left, box, VERMILION)
        _label(left, box, VERMILION, int(label))
    x, y = ((anchors[:, i] + anchors[:, i + 2]) / 2 for i in (0, 1))
    looks = {
        "positive": (given >= 0, "o", BLUE, 60),
        "ignored": (given == -2, "s", ORANGE, 36),
        "background": (given == -1, ".", GREY, 5),
    }
    for name, (of, marker, colour, size) in looks.items():
        line = {"s": size, "marker": marker, "label": name}
        line |= {"edgecolors": colour, "linewidths": 2 if size > 5 else 1}
        right.scatter(x[of], y[of], facecolors="none", **line)
    for box in anchors[given >= 0]:
        _box(right, box, BLUE, style=":", width=1.5)
    counts = {name: int(of.sum()) for name, (of, *_) in looks.items()}
    left.set_title(f"{len(boxes)} digits among scraps")
    right.set_title(
        f"{counts['positive']} positive anchors, "
        f"{counts['background']} negative"
    )
    return (
        f"Left, a grey scene with {len(boxes)} framed digits among halves "
        "of digits. Right, the same with a dot at the centre of each "
        f"anchor: {counts['positive']} circles mark positive anchors, "
        f"which lie on the digits, {counts['ignored']} squares ignored "
        f"ones, and {counts['background']} small dots cover the rest."
    )


@lesson_figure
def learning_curves(figure, steps, curves):
    """Return the cross entropy of the yes and of the no answers, by step.

    `curves` maps a name to an array (steps, 2), for each positive anchor.
    """
    figure.set_size_inches(8, 3.8)
    figure.set_dpi(PAGE_DPI)
    panels = figure.subplots(1, 2)
    pens = (PENS[-1], *PENS)
    for (name, curve), pen in zip(curves.items(), pens, strict=False):
        for axes, values in zip(panels, np.transpose(curve), strict=True):
            axes.plot(steps, values, ms=6, label=name, **pen)
    for axes, answer in zip(panels, ("yes", "no"), strict=True):
        axes.set(xlabel="training steps", title=f"Answers that are {answer}")
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("cross entropy / positive anchor")
    panels[0].legend(frameon=False)
    return (
        "Two panels over training steps, a line each for the detectors "
        f"trained by {' and '.join(curves)}: the cross entropy of test "
        "scenes for each positive anchor. Left, of the answers that are "
        "yes; right, of those that are no."
    )


@lesson_figure
def losses_compared(figure, results, baseline):
    """Return each recipe's AP minus `baseline`'s: seeds, mean, error.

    `results` maps a name to one AP a seed, in points, the same seeds for all.
    """
    results = {name: [aps] for name, aps in results.items()}
    apart, said = _differences(results, baseline)
    figure.set_size_inches(8, min(4.3, 0.42 * len(apart) + 1.2))
    figure.set_dpi(PAGE_DPI)
    axes = figure.add_subplot()
    axes.axvline(0, color=GREY, lw=1.5)
    for row, (name, ((values, of),)) in enumerate(apart.items()):
        pen = {"color": BLUE, "marker": "o", "ls": ""}
        if not name.startswith("FL"):
            pen |= {"color": BLACK, "marker": "s"}
        axes.plot(values, row + 0 * values, ms=5, alpha=0.3, **pen)
        axes.errorbar(of.mean, row, xerr=of.error, ms=8, capsize=4, **pen)
    axes.set_yticks(range(len(apart)), apart)
    axes.invert_yaxis()
    axes.set(xlabel=f"AP minus that of {baseline}, same seed, in points")
    axes.set_title("The paper's Table 1 in miniature")
    return (
        f"AP minus that of {baseline}, in points, a row a recipe, with a "
        "pale mark for each seed and a full one for the mean, with its "
        "standard error: "
        f"{said}."
    )


@lesson_figure
def gap_against_imbalance(figure, negatives, results, baseline):
    """Return AP differences to `baseline` against negatives per positive.

    `results` maps a name to one list of APs for each entry of `negatives`,
    in points, the same seeds for all; NaN where nothing was measured. Bars
    are a standard error.
    """
    figure.set_size_inches(8, 4)
    figure.set_dpi(PAGE_DPI)
    axes = figure.add_subplot()
    axes.axhline(0, color=GREY, lw=1.5)
    apart, said = _differences(results, baseline)
    pens = (*PENS, {"color": VERMILION, "ls": "", "marker": "X"})
    for shift, (name, pen) in enumerate(zip(apart, pens, strict=False)):
        at = np.array(negatives) * 1.06**shift
        values, of = zip(*apart[name], strict=True)
        axes.plot(at, values, **pen | {"ls": "", "alpha": 0.15, "ms": 5})
        mean, error = zip(*((d.mean, d.error) for d in of), strict=True)
        axes.errorbar(at, mean, error, capsize=5, label=name, **pen)
    axes.set(xscale="log", xlabel="negative anchors for each positive")
    axes.set_xticks(negatives, [f"{n:.0f}" for n in negatives])
    axes.minorticks_off()
    axes.set_ylabel(f"AP minus that of {baseline}, in points")
    axes.legend(frameon=False, loc="upper left")
    axes.set_title("Lead over cross entropy against imbalance")
    return (
        f"AP minus that of {baseline}, in points, for "
        f"{', '.join(f'{n:.0f}' for n in negatives)} negative anchors to "
        f"each positive, with standard errors: {said}."
    )


def _differences(results, baseline):
    """What each name has above `baseline`: for every list of APs the seeds'
    differences and what `paired_difference` says; and all of it in words."""
    from ..training import paired_difference  # loads PyTorch: only here

    apart = {
        name: [
            (np.subtract(*pair), paired_difference(*pair))
            for pair in zip(lists, results[baseline], strict=True)
        ]
        for name, lists in results.items()
        if name != baseline
    }
    said = (
        f"{name} {', '.join(_in_words(of) for _, of in both)}"
        for name, both in apart.items()
    )
    return apart, "; ".join(said)


def _in_words(of):
    if np.isnan(of.mean):
        return "not measured"
    return f"{of.mean:+.1f} ± {of.error:.1f}"


@lesson_figure
def crops(figure, images, texts, title):
    """Return small pieces of scenes, each under its text."""
    columns = 8
    rows = -(-len(images) // columns)
    figure.set_size_inches(8, min(4.3, 1.25 * rows + 0.5))
    figure.set_dpi(PAGE_DPI)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    for axes, image, text in zip(panels, images, texts, strict=False):
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(text, fontsize=11, loc="center")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13)
    return f"{title}: {len(images)} small grey pictures, each with a text."


@lesson_figure
def score_maps(figure, steps, cross_entropy, focal, shown):
    """Return two score maps, cross entropy's and focal loss's, at a step.

    The maps have shape (steps, height, width); `shown` is which is drawn.
    """
    figure.set_size_inches(8, 4)
    figure.set_dpi(PAGE_DPI)
    for axes, maps, name in zip(
        figure.subplots(1, 2),
        (cross_entropy, focal),
        ("cross entropy", "focal loss"),
        strict=True,
    ):
        axes.imshow(maps[shown], cmap="Blues", vmin=0, vmax=0.5)
        axes.set(xticks=[], yticks=[], title=name)
        axes.grid(False)
    figure.suptitle(
        f"Largest p at each place after {steps[shown]} steps",
        x=0.01,
        ha="left",
    )
    return (
        f"Two maps of one scene after {steps[shown]} of {steps[-1]} steps, "
        "cross entropy left, focal loss right: the largest probability of "
        "any digit at each place, from white, 0, to dark blue, 0.5 or more."
    )


@lesson_figure
def detections_at(figure, image, boxes, found, right, threshold):
    """Return a scene with the detections whose score reaches a threshold."""
    figure.set_size_inches(4.6, 4.4)
    figure.set_dpi(PAGE_DPI)
    axes = figure.add_subplot()
    _scene(axes, image)
    for box in boxes:
        _box(axes, box, ORANGE, style="--", width=3)
    detections = zip(*found, right, strict=True)
    shown = [d for d in detections if d[1] >= threshold]
    shifts = label_shifts([box for box, *_ in shown])
    for (box, _, label, _), shift in zip(shown, shifts, strict=True):
        _box(axes, box, BLUE)
        _label(axes, box, BLUE, int(label), shift)
    hits = sum(bool(hit) for *_, hit in shown)
    axes.set_title(
        f"p at least {threshold:g}. boxes: {len(shown)}, right: {hits}"
    )
    return (
        f"A scene with {len(boxes)} digits in dashed frames and the "
        f"{len(shown)} detections, solid frames, whose score is at least "
        f"{threshold:g}; {hits} of these are right."
    )
