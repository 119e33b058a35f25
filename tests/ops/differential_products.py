"""Kinds of tests/ops/differential.py: matrix products, convolutions, pools, normalizations, recurrences; integer ones exact.

A kind is a function that draws one case: what Case of differential.py takes, its positional part as "node"."""

import numpy as np

from differential_material import case

# Operators whose int8 inputs ONNX Runtime gets as uint8, 128 higher.
SHIFTED = {"QLinearMatMul", "MatMulInteger", "QLinearConv", "ConvInteger"}


def qlinear_matmul(c):
    a_type, b_type = c.byte_type(), c.byte_type()
    m, k, n = c.size(1, 40), c.size(1, 200), c.size(1, 40)
    batch = [c.size(1, 3) for _ in range(c.size(0, 2))]
    b_batch = batch if c.bit() else []
    a = c.all_integers(a_type, batch + [m, k])
    b = c.all_integers(b_type, b_batch + [k, n])
    columns = ([n] if not b_batch else b_batch + [1, n]) if c.bit() else []
    y_scale = np.float32(np.sqrt(k) * 0.015 * c.random.uniform(0.5, 2))
    return case("QLinearMatMul", [a, c.scale(), c.zero(a_type), b, c.scale(columns), c.zero(b_type, columns),
                                  np.asarray(y_scale), c.zero(a_type)],  # ONNX Runtime wants one type on both sides
                10 if c.bit() else 21, constants=(1, 2, 3, 4, 5, 6, 7) if c.bit() else (1, 2, 4, 5, 6, 7))


def matmul_integer(c):
    a_type, b_type = c.byte_type(), c.byte_type()
    m, k, n = c.size(1, 40), c.size(1, 300), c.size(1, 40)
    batch = [c.size(1, 3)] if c.bit() else []
    columns = [n] if c.bit() and not batch else []
    return case("MatMulInteger", [c.all_integers(a_type, batch + [m, k]), c.all_integers(b_type, batch + [k, n]),
                                  c.zero(a_type), c.zero(b_type, columns)], 10,
                constants=(1, 2, 3) if c.bit() else (2, 3))


def conv_inputs(c, spatial, x_type, w_type):
    groups, per_group, filters = c.size(1, 3), c.size(1, 5), c.size(1, 5)
    if c.size(0, 3) == 0:
        groups, per_group, filters = c.size(2, 9), 1, 1
    kernel, attributes, sizes = c.window(spatial)
    attributes["group"] = groups
    x = c.all_integers(x_type, [c.size(1, 2), groups * per_group] + sizes)
    w = c.all_integers(w_type, [groups * filters, per_group] + kernel)
    return x, w, attributes


def qlinear_conv(c):
    x_type, w_type = c.byte_type(), c.byte_type()
    x, w, attributes = conv_inputs(c, c.size(1, 3), x_type, w_type)
    filters = [w.shape[0]] if c.bit() else []
    y_scale = np.asarray(np.float32(np.sqrt(w[0].size) * 0.015))
    bias = c.random.integers(-3000, 3000, w.shape[0]).astype(np.int32) if c.bit() else None
    return case("QLinearConv", [x, c.scale(), c.zero(x_type), w, c.scale(filters), c.zero(w_type, filters), y_scale,
                                c.zero(x_type)] + ([bias] if bias is not None else []), 10,
                constants=(1, 2, 3, 4, 5, 6, 7) + ((8,) if bias is not None else ()), **attributes)


def conv_integer(c):
    x_type, w_type = c.byte_type(), c.byte_type()
    x, w, attributes = conv_inputs(c, c.size(1, 2), x_type, w_type)
    return case("ConvInteger", [x, w, c.zero(x_type), c.zero(w_type)], 10, constants=(1, 2, 3), **attributes)


def quantize_linear(c):
    y_type = c.choice([np.int8, np.uint8, np.int16, np.uint16])
    shape = [c.size(1, 6) for _ in range(c.size(1, 4))]
    axis = c.size(0, len(shape) - 1)
    x = c.floats(*shape) * np.float32(2)
    x = np.where(c.random.random(shape) < 0.1, np.round(x * 2) / 2, x).astype(np.float32)  # ties for scale 1
    per_axis = [shape[axis]] if c.bit() else []
    scale = c.scale(per_axis) if c.bit() else np.ones(per_axis, np.float32)
    info = np.iinfo(y_type)
    zero = np.asarray(c.random.integers(info.min, info.max + 1, per_axis)).astype(y_type)
    return case("QuantizeLinear", [x, scale, zero], 21, axis=axis)


def dequantize_linear(c):
    x_type = c.choice([np.int8, np.uint8, np.int16, np.uint16])
    shape = [c.size(1, 6) for _ in range(c.size(2, 4))]
    axis = c.size(0, len(shape) - 1)
    info = np.iinfo(x_type)
    x = c.random.integers(info.min, info.max + 1, shape).astype(x_type)
    attributes = {"axis": axis}
    parameters = [shape[axis]] if c.bit() else []
    if c.size(0, 2) == 0:
        attributes["block_size"] = c.size(1, shape[axis])
        parameters = list(shape)
        parameters[axis] = -(-shape[axis] // attributes["block_size"])
    zero = np.asarray(c.random.integers(info.min, info.max + 1, parameters)).astype(x_type)
    return case("DequantizeLinear", [x, c.scale(parameters), zero], 21, **attributes)


def dynamic_quantize_linear(c):
    x = c.floats(c.size(1, 300)) * np.float32(c.random.uniform(0.01, 100)) + np.float32(c.random.normal())
    return case("DynamicQuantizeLinear", [x], 11, outputs=3)


def conv(c):
    x, w, attributes = conv_inputs(c, c.size(1, 3), np.int8, np.int8)
    inputs = [c.floats(*x.shape), c.floats(*w.shape)] + ([c.floats(w.shape[0])] if c.bit() else [])
    return case("Conv", inputs, 11, constants=(1,) if c.bit() else (), rtol=1e-4, atol=1e-4, **attributes)


def conv_transpose(c):
    spatial = c.size(1, 2)
    kernel, attributes, sizes = c.window(spatial)
    attributes.pop("auto_pad", None)
    groups, per_group = c.size(1, 3), c.size(1, 3)
    attributes["group"] = groups
    if c.bit():
        attributes["output_padding"] = [c.size(0, s - 1) for s in attributes["strides"]]
    if c.size(0, 3) == 0:
        attributes.pop("pads", None)
        attributes.pop("output_padding", None)
        attributes["auto_pad"] = c.choice(["SAME_UPPER", "SAME_LOWER"])
        attributes["strides"] = [min(s, k) for s, k in zip(attributes["strides"], kernel)]
    x = c.floats(c.size(1, 2), groups * per_group, *sizes)
    w = c.floats(groups * per_group, c.size(1, 3), *kernel)
    return case("ConvTranspose", [x, w], 11, constants=(1,) if c.bit() else (), rtol=1e-4, atol=1e-4, **attributes)


def pool(c):
    spatial = c.size(1, 3)
    kernel, attributes, sizes = c.window(spatial, weights=False)
    op = c.choice(["MaxPool", "AveragePool", "LpPool"])
    x = c.floats(c.size(1, 2), c.size(1, 3), *sizes)
    if "auto_pad" not in attributes and c.bit():
        attributes["ceil_mode"] = 1
    outputs = 1
    if op == "MaxPool":
        outputs += c.bit()
    elif op == "AveragePool" and c.bit():
        attributes["count_include_pad"] = 1
    return case(op, [x], 19 if op != "LpPool" else 18, outputs=outputs, rtol=1e-5, atol=1e-6, **attributes)


def gemm(c):
    m, k, n = c.size(1, 20), c.size(1, 40), c.size(1, 20)
    ta, tb = c.size(0, 1), c.size(0, 1)
    a = c.floats(*([k, m] if ta else [m, k]))
    b = c.floats(*([n, k] if tb else [k, n]))
    forms = [None, [], [1], [n], [1, n], [m, 1], [m, n]]
    form = forms[c.size(0, len(forms) - 1)]
    inputs = [a, b] + ([np.asarray(c.floats(*form))] if form is not None else [])
    attributes = {"transA": ta, "transB": tb}
    if c.bit():
        attributes.update(alpha=float(c.random.normal()), beta=float(c.random.normal()))
    return case("Gemm", inputs, 13, constants=(1,) if c.bit() else (), rtol=1e-4, atol=1e-5, **attributes)


def norm(c):
    op = c.choice(["LayerNormalization", "InstanceNormalization", "BatchNormalization", "LRN",
                              "GroupNormalization"])
    shape = [c.size(1, 3), 2 * c.size(1, 4), c.size(2, 6), c.size(2, 6)]
    x = c.floats(*shape)
    channels = [c.floats(shape[1]) for _ in range(2)]
    if op == "LayerNormalization":
        axis = c.size(1, 3)
        inputs = [x, c.floats(*shape[axis:]), c.floats(*shape[axis:])]
        return case(op, inputs, 17, rtol=1e-4, atol=1e-5, axis=axis)
    if op == "InstanceNormalization":
        return case(op, [x] + channels, 6, rtol=1e-4, atol=1e-5, epsilon=1e-3)
    if op == "BatchNormalization":
        return case(op, [x] + channels + [c.floats(shape[1]), np.abs(c.floats(shape[1]))], 15, rtol=1e-4, atol=1e-5)
    if op == "LRN":
        return case(op, [x], 13, rtol=1e-4, atol=1e-5, size=2 * c.size(0, 2) + 1, alpha=0.1, beta=0.6, bias=1.5)
    return case(op, [x] + channels, 21, rtol=1e-4, atol=1e-5, num_groups=2)


def recurrent(c):
    op, gates = [("LSTM", 4), ("GRU", 3), ("RNN", 1)][c.size(0, 2)]
    steps, batch, size, hidden = c.size(1, 5), c.size(1, 4), c.size(1, 6), c.size(1, 6)
    direction = c.choice(["forward", "reverse", "bidirectional"])
    d = 2 if direction == "bidirectional" else 1
    attributes = {"direction": direction, "hidden_size": hidden}
    lengths = c.random.integers(1, steps + 1, batch).astype(np.int32) if c.bit() else None
    calm = np.float32(0.3)  # keeps states from growing without bound
    inputs = [c.floats(steps, batch, size), c.floats(d, gates * hidden, size), calm * c.floats(d, gates * hidden, hidden),
              c.floats(d, 2 * gates * hidden) if c.bit() else None, lengths,
              c.floats(d, batch, hidden) if c.bit() else None]
    if op == "LSTM":
        inputs += [c.floats(d, batch, hidden) if c.bit() else None, c.floats(d, 3 * hidden) if c.bit() else None]
        if c.size(0, 3) == 0:
            attributes["input_forget"] = 1
    if op == "GRU" and c.bit():
        attributes["linear_before_reset"] = 1
    if c.size(0, 3) == 0:
        attributes["clip"] = 0.7
    if c.size(0, 3) == 0:
        names = ["Relu", "Tanh", "Sigmoid", "Softsign"]  # ONNX Runtime's default alpha of the others is 0
        each = {"LSTM": 3, "GRU": 2, "RNN": 1}[op]
        attributes["activations"] = [str(n) for n in c.random.choice(names, each * d)]
    return case(op, inputs, 14, outputs=3 if op == "LSTM" else 2, constants=(1, 2) if c.bit() else (), rtol=1e-4,
                atol=1e-4, **attributes)


def matmul(c):
    a, b = c.shape(1, 4, 4), None
    k = c.size(1, 40)
    a = a[:-1] + [k]
    b = c.broadcast(a[:-2]) + [k] + ([c.size(1, 9)] if c.rarely(8) is False else [])
    dtype = c.choice([np.float32, np.float32, np.float64, np.int32, np.int64, np.uint32])
    return case("MatMul", [c.numbers(dtype, *a), c.numbers(dtype, *b)], c.choice([1, 9, 13]),
                constants=(1,) if c.bit() else (), rtol=1e-4, atol=1e-5)


def einsum(c):
    equation, *shapes = c.choice([("ij,jk->ik", "ij", "jk"), ("bij,bjk->bik", "bij", "bjk"), ("ij->ji", "ij"),
                                  ("ii->i", "ii"), ("ii", "ii"), ("i,i", "i", "i"), ("i,j->ij", "i", "j"),
                                  ("...ij,...jk->...ik", "bij", "bjk"), ("ij,j", "ij", "j"),
                                  ("bij,kj->bik", "bij", "kj"), ("abc->cab", "abc"), ("ij,ij->", "ij", "ij")])
    sizes = {letter: c.size(1, 5) for letter in "abcijk"}
    return case("Einsum", [c.floats(*[sizes[letter] for letter in s]) for s in shapes], 12, rtol=1e-4, atol=1e-5,
                equation=equation)


def global_pool(c):
    op = c.choice(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
    return case(op, [c.floats(*c.shape(3, 5))], c.choice([2, 22]) if op == "GlobalLpPool" else 1, rtol=1e-5, atol=1e-6)


def max_roi_pool(c):
    x = c.floats(c.size(1, 2), c.size(1, 3), c.size(4, 9), c.size(4, 9))
    corners = c.random.integers(0, 6, (c.size(1, 3), 2))
    rois = np.concatenate([c.random.integers(0, x.shape[0], (len(corners), 1)), corners,
                           corners + c.random.integers(0, 4, corners.shape)], axis=1)
    return case("MaxRoiPool", [x, rois.astype(np.float32)], 1, pooled_shape=[c.size(1, 3), c.size(1, 3)],
                spatial_scale=c.choice([1.0, 0.5]))


def roi_align(c):
    x = c.floats(c.size(1, 2), c.size(1, 3), c.size(4, 9), c.size(4, 9))
    corners = c.random.uniform(-1, 6, (c.size(1, 3), 2))
    rois = np.concatenate([corners, corners + c.random.uniform(0, 5, corners.shape)], axis=1).astype(np.float32)
    batch = c.random.integers(0, x.shape[0], len(rois)).astype(np.int64)
    return case("RoiAlign", [x, rois, batch], 16, rtol=1e-4, atol=1e-5, mode="avg", output_height=c.size(1, 3),
                output_width=c.size(1, 3), sampling_ratio=c.size(0, 3), spatial_scale=c.choice([1.0, 0.5]),
                coordinate_transformation_mode=c.choice(["half_pixel", "output_half_pixel"]))


def grid_sample(c):
    spatial = c.size(2, 3)
    x = c.floats(c.size(1, 2), c.size(1, 3), *[c.size(1, 6) for _ in range(spatial)])
    grid = c.random.uniform(-1.4, 1.4, (x.shape[0], *[c.size(1, 5) for _ in range(spatial)], spatial))
    mode = c.choice(["linear", "nearest", "cubic"] if spatial == 2 else ["linear", "nearest"])
    # Cubic: onnx's own code moves the point into the image, ONNX Runtime every pixel that is read around it.
    padding = c.choice(["zeros", "border", "reflection"]) if mode != "cubic" else "zeros"
    return case("GridSample", [x, grid.astype(np.float32)], 20, rtol=1e-4, atol=1e-4, mode=mode, padding_mode=padding,
                align_corners=c.size(0, 1))


def attention(c):
    batch, heads, kv, size, v_size = c.size(1, 2), 4, c.choice([1, 2, 4]), c.size(1, 6), c.size(1, 6)
    queries, keys = c.size(1, 5), c.size(1, 6)
    shapes = [(batch, heads, queries, size), (batch, kv, keys, size), (batch, kv, keys, v_size)]
    attributes = {"is_causal": c.size(0, 1)}
    if c.bit():
        shapes = [(s[0], s[2], s[1] * s[3]) for s in shapes]
        attributes.update(q_num_heads=heads, kv_num_heads=kv)
    inputs = [c.floats(*s) for s in shapes]
    if c.bit() and not attributes["is_causal"]:
        inputs.append(c.bools(queries, keys) | (np.arange(keys) == 0) if c.bit() else c.floats(queries, keys))
    if c.rarely():
        attributes["softcap"] = 2.0
    return case("Attention", inputs, 23, rtol=1e-4, atol=1e-5, **attributes)


def rotary_embedding(c):
    batch, positions, heads, size = c.size(1, 2), c.size(1, 4), c.size(1, 3), 2 * c.size(1, 4)
    caches = [c.floats(6, size // 2) for _ in range(2)]
    ids = c.random.integers(0, 6, (batch, positions)).astype(np.int64)
    return case("RotaryEmbedding", [c.floats(batch, heads, positions, size), *caches, ids], 23, rtol=1e-5, atol=1e-6,
                interleaved=c.size(0, 1))


KINDS = [recurrent, qlinear_matmul, matmul_integer, qlinear_conv, conv_integer, quantize_linear, dequantize_linear,
         dynamic_quantize_linear, conv, conv_transpose, pool, gemm, norm, matmul, einsum, global_pool, max_roi_pool, roi_align,
         grid_sample, attention, rotary_embedding]
