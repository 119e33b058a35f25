"""Kinds of tests/ops/differential.py: operators that move elements, and those on text."""

import numpy as np

from differential_material import case

MOVED = [np.float32, np.float64, np.int64, np.int32, np.uint8, np.int8, bool]


def data(c, low=1, high=4):
    shape = [max(d, 1) for d in c.shape(low, high)]
    return c.numbers(c.choice(MOVED), *shape), shape


def reshape(c):
    x, shape = data(c, 0)
    to = list(shape)
    for _ in range(c.size(0, 3)):  # factors move to neighbours
        if len(to) > 1 and c.bit():
            k = c.size(0, len(to) - 2)
            to[k:k + 2] = [to[k] * to[k + 1]]
        else:
            to.insert(c.size(0, len(to)), 1)
    if to and c.bit():
        to[c.size(0, len(to) - 1)] = -1
    return case("Reshape", [x, np.asarray(to, np.int64)], c.choice([5, 13, 14]), constants=(1,) if c.bit() else ())


def flatten(c):
    x, shape = data(c, 0)
    return case("Flatten", [x], c.choice([9, 11, 13]), axis=c.size(0, len(shape)))


def squeeze(c):
    x, shape = data(c, 1)
    axes = c.axes(len(shape))
    x = x[tuple(slice(0, 1) if k in [a % len(shape) for a in axes] else slice(None) for k in range(len(shape)))]
    return case("Squeeze", [x, np.asarray(axes, np.int64)], 13, constants=(1,)) if c.bit() else case("Squeeze", [x], 11, axes=axes)


def unsqueeze(c):
    x, shape = data(c, 0, 3)
    axes = c.axes(len(shape) + c.size(1, 2))[:2]
    axes = [a for a in dict.fromkeys(a % (len(shape) + len(axes)) for a in axes)]
    axes = [a for a in axes if a < len(shape) + len(axes)]
    return case("Unsqueeze", [x, np.asarray(axes, np.int64)], 13) if c.bit() else case("Unsqueeze", [x], 11, axes=axes)


def transpose(c):
    x, shape = data(c, 1, 5)
    return case("Transpose", [x], c.choice([1, 13]), **({"perm": c.random.permutation(len(shape)).tolist()} if c.size(0, 4) else {}))


def concat(c):
    x, shape = data(c)
    axis = c.axis(len(shape))
    parts = [x]
    for _ in range(c.size(0, 3)):
        other = list(shape)
        other[axis] = c.size(0, 4)
        parts.append(c.numbers(x.dtype, *other))
    return case("Concat", parts, c.choice([4, 11, 13]), axis=axis % len(shape))


def split(c):
    x, shape = data(c)
    axis = c.axis(len(shape))
    cuts = sorted(c.size(0, shape[axis]) for _ in range(c.size(0, 3)))
    parts = np.diff([0, *cuts, shape[axis]]).tolist()
    if c.bit():
        return case("Split", [x, np.asarray(parts, np.int64)], 13, outputs=len(parts), axis=axis, constants=(1,))
    return case("Split", [x], 11, outputs=len(parts), axis=axis, split=parts)


def slices(c):
    x, shape = data(c)
    axes = c.axes(len(shape))
    starts = [c.size(-shape[a] - 1, shape[a] + 1) for a in axes]
    ends = [c.size(-shape[a] - 1, shape[a] + 2) for a in axes]
    steps = [c.choice([1, 1, 2, 3, -1, -2]) for _ in axes]
    inputs = [x] + [np.asarray(v, c.choice([np.int32, np.int64])).astype(np.int64) for v in (starts, ends, axes, steps)]
    return case("Slice", inputs, c.choice([10, 11, 13]), constants=(1, 2, 3, 4) if c.bit() else ())


def gather(c):
    x, shape = data(c)
    axis = c.axis(len(shape))
    picks = c.random.integers(-shape[axis], shape[axis], c.shape(0, 2, 4)).astype(c.choice([np.int32, np.int64]))
    return case("Gather", [x, picks], c.choice([11, 13]), axis=axis)


def gather_elements(c):
    x, shape = data(c)
    axis = c.axis(len(shape))
    to = [c.size(1, d) for d in shape]
    to[axis] = c.size(1, 5)
    return case("GatherElements", [x, c.random.integers(-shape[axis], shape[axis], to).astype(np.int64)], c.choice([11, 13]),
                axis=axis)


def tuples(c, shape, count, distinct=False):
    """Index tuples for GatherND and ScatterND into the first axes of `shape`."""
    width = c.size(1, len(shape))
    places = [tuple(int(c.random.integers(0, d)) for d in shape[:width]) for _ in range(count)]
    if distinct:
        places = list(dict.fromkeys(places))
    return np.asarray(places, np.int64).reshape(-1, width), width


def gather_nd(c):
    x, shape = data(c)
    places, _ = tuples(c, shape, c.size(1, 4))
    return case("GatherND", [x, places], c.choice([11, 12, 13]))


def scatter_nd(c):
    x, shape = data(c)
    places, width = tuples(c, shape, c.size(1, 4), distinct=True)
    updates = c.numbers(x.dtype, len(places), *shape[width:])
    attributes = {"reduction": c.choice(["add", "mul", "min", "max"])} if x.dtype in (np.float32, np.int64) and c.bit() else {}
    return case("ScatterND", [x, places, updates], 18 if attributes else c.choice([11, 13]), rtol=1e-5, **attributes)


def scatter_elements(c):
    x, shape = data(c)
    axis = c.axis(len(shape))
    to = [c.size(1, d) for d in shape]
    order = np.argsort(c.random.random(to[:axis % len(shape)] + [shape[axis]] + to[axis % len(shape) + 1:]), axis=axis)
    places = np.take(order, range(to[axis]), axis).astype(np.int64)  # no place twice
    attributes = {"reduction": c.choice(["add", "mul", "min", "max"])} if x.dtype in (np.float32, np.int64) and c.bit() else {}
    return case("ScatterElements", [x, places, c.numbers(x.dtype, *places.shape)], 18 if attributes else c.choice([11, 13]),
                rtol=1e-5, axis=axis, **attributes)


def expand(c):
    shape = c.shape(1)
    return case("Expand", [c.numbers(c.choice(MOVED), *c.broadcast(shape)), np.asarray(shape, np.int64)], c.choice([8, 13]),
                constants=(1,) if c.bit() else ())


def tile(c):
    x, shape = data(c)
    return case("Tile", [x, np.asarray([c.size(0, 3) if c.rarely() else c.size(1, 3) for _ in shape], np.int64)],
                c.choice([6, 13]))


def pad(c):
    x, shape = data(c)
    mode = c.choice(["constant", "reflect", "edge", "wrap"])
    most = [d - 1 if mode == "reflect" else 3 for d in shape]
    pads = [c.size(0 if mode != "constant" else -min(1, d // 2), m) for d, m in zip(shape * 2, most * 2)]
    inputs = [x, np.asarray(pads, np.int64)] + ([np.asarray(c.numbers(x.dtype))] if mode == "constant" and c.bit() else [])
    return case("Pad", inputs, 19 if mode == "wrap" else c.choice([13, 18]), mode=mode, constants=(1,) if c.bit() else ())


def blocks(c):
    b = c.size(1, 3)
    if c.bit():
        return case("DepthToSpace", [c.floats(c.size(1, 2), b * b * c.size(1, 3), c.size(1, 3), c.size(1, 3))],
                    c.choice([11, 13]), blocksize=b, mode=c.choice(["DCR", "CRD"]))
    return case("SpaceToDepth", [c.floats(c.size(1, 2), c.size(1, 3), b * c.size(1, 3), b * c.size(1, 3))], c.choice([1, 13]),
                blocksize=b)


def one_hot(c):
    depth, rank = c.size(1, 5), c.size(0, 3)
    values = c.numbers(c.choice([np.float32, np.int64]), 2)
    indices = c.random.integers(-depth, depth, [c.size(1, 3) for _ in range(rank)])
    return case("OneHot", [np.asarray(indices, np.int64), np.asarray([depth], np.int64), values], 11, axis=c.size(-rank - 1, rank))


def nonzero(c):
    x, _ = data(c)
    return case("NonZero", [x if x.dtype in (np.float32, np.int32, np.int64, np.uint8, bool) else c.bools(*x.shape)],
                c.choice([9, 13]))


def compress(c):
    x, shape = data(c)
    if c.bit():
        return case("Compress", [x, c.bools(c.size(1, int(np.prod(shape))))], c.choice([9, 11]))
    axis = c.size(0, len(shape) - 1)
    return case("Compress", [x, c.bools(c.size(1, shape[axis]))], c.choice([9, 11]), axis=axis)


def triangle(c):
    shape = [max(d, 1) for d in c.shape(2)]
    return case("Trilu", [c.numbers(c.choice([np.float32, np.int64, bool]), *shape)] +
                ([np.asarray(c.size(-4, 4), np.int64)] if c.bit() else []), 14, upper=c.size(0, 1))


def reverse(c):
    x, shape = data(c, 2)
    time = c.size(0, 1)
    lengths = c.random.integers(1, shape[time] + 1, shape[1 - time]).astype(np.int64)
    return case("ReverseSequence", [x, lengths], 10, time_axis=time, batch_axis=1 - time)


def unique(c):
    shape = [max(d, 1) for d in c.shape(1, 3)]
    x = c.integers(np.int64, shape, 0, 3) if c.bit() else np.round(c.floats(*shape))
    attributes = {"axis": c.size(0, len(shape) - 1)} if c.bit() else {}
    return case("Unique", [x + 0], 11, outputs=4, sorted=1 if attributes else c.size(0, 1), **attributes)


def resize(c):
    shape = [c.size(1, 2), c.size(1, 2), c.size(1, 6), c.size(1, 6)]
    mode = c.choice(["nearest", "linear", "cubic"])
    attributes = {"mode": mode, "coordinate_transformation_mode": c.choice(
        ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])}
    if mode == "nearest":
        attributes["nearest_mode"] = c.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    inputs = [c.floats(*shape), None]
    if c.bit():
        inputs += [None, np.asarray(shape[:2] + [c.size(1, 9), c.size(1, 9)], np.int64)]
    else:  # whole lengths: with others ONNX Runtime fails official cases of align_corners
        inputs.append(np.asarray([1, 1, 1 if shape[2] % 2 else c.choice([0.5, 1.5]), c.choice([1, 2, 3])], np.float32))
    return case("Resize", inputs, c.choice([13, 18, 19]), constants=(2, 3) if len(inputs) > 3 else (2,), rtol=1e-4, atol=1e-4,
                **attributes)


def upsample(c):
    scales = np.asarray([1, 1, c.choice([1, 2, 3]), c.choice([1, 2])], np.float32)
    return case("Upsample", [c.floats(1, 2, c.size(1, 4), c.size(1, 4)), scales], 9, constants=(1,), mode=c.choice(["nearest", "linear"]),
                rtol=1e-5, atol=1e-6)


def columns(c):
    image, block = [c.size(3, 6), c.size(3, 6)], [c.size(1, 3), c.size(1, 3)]
    places = int(np.prod([i - b + 1 for i, b in zip(image, block)]))
    return case("Col2Im", [c.floats(c.size(1, 2), c.size(1, 2) * block[0] * block[1], places), np.asarray(image, np.int64),
                           np.asarray(block, np.int64)], 18, rtol=1e-5, atol=1e-5)


def center(c):
    x, shape = data(c, 2)
    axes = c.axes(len(shape))
    return case("CenterCropPad", [x, np.asarray([c.size(1, 7) for _ in axes], np.int64)], 18, axes=axes)


def unpool(c):
    height, width = c.size(1, 3), c.size(1, 3)
    x = c.floats(1, 1, height, width)
    places = c.random.permutation(4 * height * width)[:height * width].reshape(x.shape).astype(np.int64)
    return case("MaxUnpool", [x, places], c.choice([9, 11]), kernel_shape=[2, 2], strides=[2, 2])


def suppression(c):
    count = c.size(1, 6)
    corners = c.random.uniform(0, 5, (1, count, 2))
    boxes = np.concatenate([corners, corners + c.random.uniform(0.5, 3, corners.shape)], axis=2).astype(np.float32)
    scores = c.random.random((1, c.size(1, 2), count)).astype(np.float32)
    limits = [np.asarray([c.size(0, 3)], np.int64), np.asarray([0.4], np.float32), np.asarray([0.2], np.float32)]
    return case("NonMaxSuppression", [boxes, scores, *limits[:c.size(1, 3)]], c.choice([10, 11]))


def ngrams(c):
    tokens = c.size(3, 9)
    x = c.integers(c.choice([np.int32, np.int64]), c.choice([[tokens], [2, tokens]]), 0, 3)
    pool = [0, 1, 2, 3, 0, 1, 1, 2, 3, 3, 0, 1, 2]  # four single tokens, three pairs, one triple
    return case("TfIdfVectorizer", [x], 9, mode=c.choice(["TF", "IDF", "TFIDF"]), min_gram_length=c.size(1, 2),
                max_gram_length=c.size(2, 3), max_skip_count=c.size(0, 2), ngram_counts=[0, 4, 10],
                ngram_indexes=list(range(8)), pool_int64s=pool, weights=[0.5 + k for k in range(8)])


def text(c):
    x = c.strings(c.size(1, 5))
    op = c.choice(["StringNormalizer", "Equal", "StringConcat", "LabelEncoder"])
    if op == "Equal":
        return case(op, [x, c.strings(len(x))], 19)
    if op == "StringConcat":
        return case(op, [x, c.strings(len(x))], 20)
    if op == "LabelEncoder":
        return case(op, [x], c.choice([2, 4]), domain="ai.onnx.ml", keys_strings=["a", "B", "abc"], values_int64s=[4, 5, 6],
                    default_int64=-3)
    return case(op, [x], 10, case_change_action=c.choice(["LOWER", "UPPER", "NONE"]), is_case_sensitive=c.size(0, 1),
                stopwords=["b", "abc"])


def features(c):
    if c.bit():
        return case("Binarizer", [c.floats(*c.shape(1))], 1, domain="ai.onnx.ml", threshold=0.25)
    x = c.floats(c.size(1, 4), c.size(1, 5))
    return case("ArrayFeatureExtractor", [x, c.random.integers(0, x.shape[1], c.size(1, 4)).astype(np.int64)], 1,
                domain="ai.onnx.ml")


KINDS = [reshape, flatten, squeeze, unsqueeze, transpose, concat, split, slices, gather, gather_elements, gather_nd, scatter_nd,
         scatter_elements, expand, tile, pad, blocks, one_hot, nonzero, compress, triangle, reverse, unique, resize, upsample,
         columns, center, unpool, suppression, ngrams, text, features]
