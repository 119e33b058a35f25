"""Kinds of tests/ops/differential.py: geometry, signals, running products, changes of type, text, caches."""

import numpy as np

from differential_material import case


def affine_grid(c):
    spatial, batch, corners = c.size(2, 3), c.size(1, 2), c.size(0, 1)
    # Where the only pixel of an axis lies with align_corners, -1 as in onnx's reference or 1, is not said.
    size = [batch, c.size(1, 3)] + [c.size(1 + corners, 5) for _ in range(spatial)]
    return case("AffineGrid", [c.floats(batch, spatial, spatial + 1), np.asarray(size, np.int64)], 20, rtol=1e-5, atol=1e-5,
                constants=(1,) if c.bit() else (), align_corners=corners)


def deform_conv(c):
    kernel, attributes, sizes = c.window(2)
    while "auto_pad" in attributes:
        kernel, attributes, sizes = c.window(2)
    group, offset_group, batch = c.size(1, 2), c.size(1, 2), c.size(1, 2)
    channels, filters = 2 * c.size(1, 2), group * c.size(1, 2)
    begin, end = attributes["pads"][:2], attributes["pads"][2:]
    dilations = attributes.get("dilations", [1, 1])
    out = [(sizes[k] + begin[k] + end[k] - (kernel[k] - 1) * dilations[k] - 1) // attributes["strides"][k] + 1 for k in range(2)]
    cells = offset_group * kernel[0] * kernel[1]
    inputs = [c.floats(batch, channels, *sizes), c.floats(filters, channels // group, *kernel), c.floats(batch, 2 * cells, *out)]
    if c.bit():
        inputs.append(c.floats(filters))
        if c.bit():
            inputs.append(np.abs(c.floats(batch, cells, *out)))
    return case("DeformConv", inputs, c.choice([19, 22]), rtol=1e-4, atol=1e-4, group=group, offset_group=offset_group, **attributes)


def mel_weights(c):
    rate, bins = c.choice([4000, 8000, 16000]), c.size(1, 8)
    numbers = [np.asarray(v, np.int64) for v in (bins, c.choice([16, 32, 64]), rate)]
    edges = [np.asarray(v, np.float32) for v in (c.choice([0, 20, 125]), c.choice([rate / 4, rate / 2]))]
    return case("MelWeightMatrix", numbers + edges, 17, rtol=1e-5, atol=1e-6, constants=(0, 1, 2, 3, 4))


def short_time_fourier(c):
    length, step = c.choice([4, 8, 16]), c.size(1, 5)
    signal = c.floats(c.size(1, 2), length + c.size(0, 12), 1)
    inputs = [signal, np.asarray(step, np.int64)]
    if c.bit():
        inputs.append(np.abs(c.floats(length)))
    else:
        inputs += [None, np.asarray(length, np.int64)]
    return case("STFT", inputs, 17, rtol=1e-4, atol=1e-4, onesided=c.size(0, 1))


def running_product(c):
    shape = [max(d, 1) for d in c.shape(1)]
    return case("CumProd", [c.numbers(c.choice([np.float32, np.float64, np.int32, np.int64]), *shape),
                            np.asarray(c.axis(len(shape)), np.int64)], 26, rtol=1e-5, atol=1e-5,
                exclusive=c.size(0, 1), reverse=c.size(0, 1))


def change_type(c):
    shape = c.shape()
    if c.bit():
        to = c.choice([np.float32, np.float64, np.int32, np.int64, np.int16, bool])
        x = c.numbers(c.choice([np.float32, np.float64, np.int32, np.int64, np.uint8, bool]), *shape)
        return case("CastLike", [x, np.zeros(1, to)], c.choice([15, 19]))
    like = c.choice([(np.float32, [6, 12]), (np.int32, [1, 12]), (np.int64, [11, 13]), (np.float64, [7, 13]), (np.float16, [5, 4])])
    return case("BitCast", [c.numbers(like[0], *shape)], 26, to=c.choice(like[1]))


def swish(c):
    attributes = {"alpha": float(np.float32(c.random.uniform(0.2, 2)))} if c.bit() else {}
    return case("Swish", [c.floats(*c.shape(), scale=4)], 24, rtol=1e-5, atol=1e-5, **attributes)


def old_scatter(c):
    shape = [c.size(1, 4) for _ in range(c.size(1, 3))]
    axis = c.size(0, len(shape) - 1)
    to = [c.size(1, d) for d in shape]
    order = np.argsort(c.random.random(to[:axis] + [shape[axis]] + to[axis + 1:]), axis=axis)
    places = np.take(order, range(to[axis]), axis).astype(np.int64)  # no place twice
    return case("Scatter", [c.floats(*shape), places, c.floats(*to)], c.choice([9, 10]), axis=axis)


def cache(c):
    batch, room, width = c.size(1, 3), c.size(3, 6), c.size(1, 3)
    heads = [c.size(1, 2)] if c.bit() else []
    new, mode = c.size(1, 3), c.choice(["linear", "circular"])
    most = room - new if mode == "linear" else room - 1
    at = np.asarray([c.size(0, most) for _ in range(batch)], np.int64)
    return case("TensorScatter", [c.floats(batch, *heads, room, width), c.floats(batch, *heads, new, width), at], 24, mode=mode)


def match(c):
    pattern = c.choice(["a+", ".*", "[a-c]*", "(ab|a)c?", r"\w*", "x y", "[^a]+", "B?", r"\s*\S+\s\S+"])
    return case("RegexFullMatch", [c.strings(c.size(1, 6))], 20, pattern=pattern)


def cut(c):
    attributes = {"delimiter": c.choice(["", " ", "a", "b", ", "])} if c.bit() else {}
    if c.bit():
        attributes["maxsplit"] = c.size(1, 3)
    # An empty text holds one empty word between delimiters, as in onnx's reference; ONNX Runtime finds none.
    words = [" ".join(["x", *c.strings(c.size(0, 3)).tolist()]) for _ in range(c.size(1, 4))]
    if not attributes.get("delimiter"):  # blanks at the end of the rest after the last split: Python keeps them
        words = [w.rstrip() for w in words]
    return case("StringSplit", [np.asarray(words, object)], 20, outputs=2, **attributes)


KINDS = [affine_grid, deform_conv, mel_weights, short_time_fourier, running_product, change_type, swish, old_scatter, cache, match, cut]
