"""The moving pictures of lesson 06: their data come from its detectors."""

import numpy as np

from ..figures import detections_at, score_maps
from ..figures.detection import label_shifts
from .moving import MovingPicture

BLUE, ORANGE = "#0072B2", "#E69F00"


def training_maps(steps, cross_entropy, focal):
    """Return the score maps of one scene, with a slider for the step.

    Two arrays of probabilities, (steps, height, width); `steps` says after
    how many steps each map was taken.
    """
    opens = len(steps) // 2
    _, height, width = np.shape(cross_entropy)
    maps = [
        {
            "name": name,  # a string a moment, two digits a cell, per cent
            "value": [
                "".join(f"{min(p, 99):02d}" for p in _whole(one))
                for one in several
            ],
        }
        for name, several in (("ce_maps", cross_entropy), ("fl_maps", focal))
    ]
    places = [
        {
            "calculate": f"+slice({name}_maps[shown], "
            "2 * datum.cell, 2 * datum.cell + 2)",
            "as": name,
        }
        for name in ("ce", "fl")
    ]
    places += [
        {"calculate": f"datum.cell % {width}", "as": "x"},
        {"calculate": f"floor(datum.cell / {width})", "as": "y"},
    ]
    title = f"'after ' + {list(steps)}[shown] + ' steps'"
    specification = {
        "title": {"text": {"expr": title}},
        "params": [
            _slider("shown", opens, 0, len(steps) - 1, 1, "moment"),
            *maps,
        ],
        "data": {
            "sequence": {"start": 0, "stop": height * width, "as": "cell"}
        },
        "transform": places,
        "hconcat": [
            _heat_map("ce", "cross entropy", 240),
            _heat_map("fl", "focal loss", 240),
        ],
    }
    still = score_maps(steps, cross_entropy, focal, opens)
    return MovingPicture(specification, still)


def threshold_slider(image, boxes, found, right, *, opens=0.25):
    """Return a scene's detections, with a slider for the threshold.

    Parameters
    ----------
    image : array, (size, size)
    boxes : array, (M, 4)
        Of the objects.
    found : boxes (D, 4), scores (D,) and labels (D,), best first
    right : array of bool, (D,)
        Whether each detection finds an object.
    """
    size = len(image)
    ink = "".join(map(str, _whole(image, 9)))  # a digit for each pixel
    scene = {
        "name": "scene",
        "data": {"sequence": {"start": 0, "stop": size**2, "as": "cell"}},
        "transform": [
            {"calculate": "+slice(ink, datum.cell, datum.cell + 1)"}
            | {"as": "ink"},
            {"filter": "datum.ink > 0"},
            {"calculate": f"datum.cell % {size}", "as": "left"},
            {"calculate": "datum.left + 1", "as": "right"},
            {"calculate": f"floor(datum.cell / {size})", "as": "top"},
            {"calculate": "datum.top + 1", "as": "bottom"},
        ],
        "mark": {"type": "rect", "strokeWidth": 0},
        "encoding": _corners(size)
        | {
            "color": {
                "field": "ink",
                "type": "quantitative",
                "scale": {"domain": [0, 9], "scheme": "greys"},
                "legend": None,
            }
        },
    }
    objects = [dict(zip(CORNERS, map(float, b), strict=True)) for b in boxes]
    detections = [
        dict(zip(CORNERS, (round(float(v), 1) for v in box), strict=True))
        | {"p": round(float(p), 3), "label": int(label), "hit": int(hit)}
        for box, p, label, hit in zip(*found, right, strict=True)
        if p > 0
    ]
    shifts = label_shifts([[d["left"], d["top"]] for d in detections])
    for detection, shift in zip(detections, shifts, strict=True):
        detection["said_at"] = round(detection["left"] + float(shift), 1)
    kept = {"filter": "datum.p >= threshold"}
    counted = [
        {"op": "sum", "field": "shown", "as": "boxes"},
        {"op": "sum", "field": "found", "as": "hits"},
    ]
    said = (
        "'p at least ' + threshold + '. boxes: ' + datum.boxes "
        "+ ', right: ' + datum.hits"
    )
    specification = {
        "width": 400,
        "height": 400,
        "params": [
            _slider("threshold", opens, 0.05, 0.95, 0.05, "p at least"),
            {"name": "ink", "value": ink},
        ],
        "layer": [
            scene,
            {
                "name": "objects",
                "data": {"values": objects},
                "mark": _frame(ORANGE, strokeDash=[6, 4], strokeWidth=3),
                "encoding": _corners(size),
            },
            {
                "name": "detections",
                "data": {"values": detections},
                "transform": [kept],
                "mark": _frame(BLUE, strokeWidth=2),
                "encoding": _corners(size),
            },
            {
                "name": "labels",
                "data": {"values": detections},
                "transform": [kept],
                "mark": {
                    "type": "text",
                    "color": BLUE,
                    "fontWeight": "bold",
                    "align": "left",
                    "baseline": "bottom",
                },
                "encoding": {
                    "x": _place("said_at", size),
                    "y": _place("top", size, reverse=True),
                    "text": {"field": "label"},
                },
            },
            {
                "name": "counts",
                "data": {"values": detections},
                "transform": [
                    {"calculate": "+(datum.p >= threshold)", "as": "shown"},
                    {"calculate": "datum.shown * datum.hit", "as": "found"},
                    {"aggregate": counted},
                    {"calculate": said, "as": "said"},
                ],
                "mark": {"type": "text", "fontSize": 14, "align": "left"},
                "encoding": {
                    "x": {"value": 0},
                    "y": {"value": -12},
                    "text": {"field": "said"},
                },
            },
        ],
    }
    still = detections_at(image, boxes, found, right, opens)
    return MovingPicture(specification, still)


CORNERS = ("left", "top", "right", "bottom")


def _whole(values, most=100):
    return np.round(most * np.ravel(values)).astype(int).tolist()


def _slider(name, value, least, most, step, label):
    bind = {"input": "range", "min": least, "max": most, "step": step}
    return {"name": name, "value": value, "bind": bind | {"name": label}}


def _heat_map(field, title, side):
    place = {"type": "ordinal", "axis": None}
    return {
        "name": field,
        "title": title,
        "width": side,
        "height": side,
        "view": {"stroke": "#767676", "strokeWidth": 2},
        "mark": {"type": "rect", "strokeWidth": 0},
        "encoding": {
            "x": {"field": "x"} | place,
            "y": {"field": "y"} | place,
            "color": {
                "field": field,
                "type": "quantitative",
                "scale": {
                    "domain": [0, 25, 50],
                    "range": ["white", "#6BAED6", "#08306B"],
                    "interpolate": "rgb",  # the default goes by cyan
                    "clamp": True,
                },
                "title": "p, %",
            },
        },
    }


def _place(field, size, *, reverse=False):
    scale = {"domain": [0, size], "reverse": reverse, "nice": False}
    return {
        "field": field,
        "type": "quantitative",
        "scale": scale,
        "axis": None,
    }


def _corners(size):
    return {
        "x": _place("left", size),
        "x2": {"field": "right"},
        "y": _place("top", size, reverse=True),
        "y2": {"field": "bottom"},
    }


def _frame(colour, **style):
    return {"type": "rect", "fillOpacity": 0, "stroke": colour} | style
