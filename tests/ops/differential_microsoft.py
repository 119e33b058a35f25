"""The same for the operators that ONNX Runtime adds in its domain com.microsoft: see differential_cases.py.

    differential_microsoft.py FOLDER [SEED [COUNT]]

8-bit results may differ by one step where ONNX Runtime's order of float operations depends on the machine."""

import numpy as np

from differential_cases import MICROSOFT, conv_inputs, main

STEP = {"rtol": 0.0, "atol": 1.0}
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
NORM = {"rtol": 1e-4, "atol": 1e-5}  # a few numbers that differ little: their deviation is all rounding


def shapes(c, rank=4):
    """Two shapes that broadcast."""
    shape = [c.size(1, 7) for _ in range(c.size(1, rank))]
    other = [1 if c.size(0, 3) == 0 else n for n in shape][c.size(0, len(shape)):]
    return (shape, other) if c.bit() else (other, shape)


def qlinear_binary(c):
    dtype = c.byte_type()
    a, b = shapes(c)
    # Scales that are multiples of one make ties.
    scales = [np.asarray(c.size(1, 9) * 0.002, np.float32) if c.bit() else c.scale() for _ in range(3)]
    inputs = [c.bytes(dtype, a), scales[0], c.zero(dtype), c.bytes(dtype, b), scales[1], c.zero(dtype), scales[2]]
    inputs += [c.zero(dtype)] if c.bit() else []
    c.add_microsoft(str(c.random.choice(["QLinearAdd", "QLinearMul"])), inputs, [dtype], **STEP)


def qlinear_unary(c):
    dtype = c.byte_type()
    inputs = [c.bytes(dtype, [c.size(1, 9), c.size(1, 40)]), np.asarray(c.scale() * np.float32(3)), c.zero(dtype), c.scale(),
              c.zero(dtype) if c.bit() else None]
    if c.bit():
        c.add_microsoft("QLinearSigmoid", inputs, [dtype], **STEP)
    else:
        c.add_microsoft("QLinearLeakyRelu", inputs, [dtype], alpha=float(c.random.uniform(0.01, 0.9)))


def qlinear_softmax(c):
    dtype = c.byte_type()
    shape = [c.size(2, 9) for _ in range(c.size(1, 4))]  # rows of one overflow in ONNX Runtime, which gives 0 for 1
    zero = np.asarray(np.iinfo(dtype).min, dtype)
    inputs = [c.bytes(dtype, shape), np.asarray(c.scale() * np.float32(4)), c.zero(dtype), np.asarray(np.float32(1 / 256)), zero]
    c.add_microsoft("QLinearSoftmax", inputs, [dtype], opset=int(c.random.choice([11, 13])),
                    axis=c.size(-len(shape), len(shape) - 1), **STEP)


def qlinear_concat(c):
    dtype = c.byte_type()
    shape = [c.size(1, 5) for _ in range(c.size(1, 4))]
    axis = c.size(-len(shape), len(shape) - 1)
    scale, zero = c.scale(), c.zero(dtype)
    inputs = [scale, zero]
    for _ in range(c.size(1, 4)):
        part = list(shape)
        part[axis] = c.size(1, 5)
        inputs += [c.bytes(dtype, part)] + ([scale, zero] if c.bit() else [c.scale(), c.zero(dtype)])
    c.add_microsoft("QLinearConcat", inputs, [dtype], axis=axis)


def qlinear_global_pool(c):
    dtype = c.byte_type()
    shape = [c.size(1, 3), c.size(1, 40)] + [c.size(1, 9) for _ in range(c.size(1, 3))]
    inputs = [c.bytes(dtype, shape), c.scale(), c.zero(dtype), c.scale(), c.zero(dtype)]
    c.add_microsoft("QLinearGlobalAveragePool", inputs, [dtype], channels_last=c.size(0, 1), **STEP)


def qlinear_pool(c):
    dtype, spatial = c.byte_type(), c.size(1, 3)
    _, attributes, sizes = c.window(spatial, weights=False)
    if attributes.pop("dilations", None):
        sizes = [n + 4 for n in sizes]
    attributes.update(channels_last=c.size(0, 1), count_include_pad=c.size(0, 1))
    if "auto_pad" not in attributes:
        attributes["ceil_mode"] = c.size(0, 1)
    images, channels = c.size(1, 2), c.size(1, 5)
    shape = [images] + sizes + [channels] if attributes["channels_last"] else [images, channels] + sizes
    inputs = [c.bytes(dtype, shape), c.scale(), c.zero(dtype), c.scale(), c.zero(dtype)]
    c.add_microsoft("QLinearAveragePool", inputs, [dtype], **STEP, **attributes)


def factors(c, dtypes):
    """Two factors of a matrix product over any leading axes."""
    m, k, n = c.size(1, 20), c.size(1, 60), c.size(1, 20)
    batch = [c.size(1, 3) for _ in range(c.size(0, 2))]
    a = c.bytes(dtypes[0], batch + [m, k]) if dtypes[0] != np.float32 else c.floats(*batch, m, k)
    return a, c.bytes(dtypes[1], (batch if c.bit() else []) + [k, n])


def qgemm(c):
    a_type = c.byte_type()
    b_type = np.int8 if a_type == np.int8 else c.byte_type()
    m, k, n = c.size(1, 20), c.size(1, 60), c.size(1, 20)
    ta, tb = c.size(0, 1), c.size(0, 1)
    columns = [n] if c.bit() else []
    forms = [None, [], [1], [n], [1, n], [m, 1], [m, n]]
    form = forms[c.size(0, len(forms) - 1)]
    bias = None if form is None else c.random.integers(-3000, 3000, form).astype(np.int32)
    inputs = [c.bytes(a_type, [k, m] if ta else [m, k]), c.scale(), c.zero(a_type),
              c.bytes(b_type, [n, k] if tb else [k, n]), c.scale(columns), c.zero(b_type, columns), bias]
    quantized = c.bit()
    inputs += [np.asarray(np.float32(np.sqrt(k) * 0.02)), c.zero(a_type)] if quantized else []
    c.add("QGemm", inputs, [a_type if quantized else np.float32], constants=(3,) if c.bit() else (), domain=MICROSOFT,
          transA=ta, transB=tb, alpha=float(c.random.choice([1.0, 0.5])), **({} if quantized else CLOSE))


def integer_to_float(c):
    a, b = factors(c, [c.byte_type(), c.byte_type()])
    columns = [b.shape[-1]] if c.bit() and b.ndim == 2 else []
    zeros = [c.zero(a.dtype), c.zero(b.dtype, columns)] if c.bit() else []
    inputs = [a, b, c.scale(), c.scale(columns)] + (zeros or [None, None])
    inputs += [c.floats(b.shape[-1])] if c.bit() else []
    if not zeros:  # without a zero point int8 cannot be raised: small values saturate nowhere
        inputs[0], inputs[1] = c.bytes(np.uint8, a.shape) // 4, b // 4
        c.add_microsoft("MatMulIntegerToFloat", inputs, [np.float32], (1,) if c.bit() else (), **CLOSE)
        return
    c.add("MatMulIntegerToFloat", inputs, [np.float32], constants=(1,) if c.bit() else (), domain=MICROSOFT, **CLOSE)


def dynamic_quantize(c):
    a, b = factors(c, [np.float32, c.byte_type()])
    columns = [b.shape[-1]] if c.bit() and b.ndim == 2 else []
    inputs = [a, b, c.scale(columns), c.zero(b.dtype, columns)] + ([c.floats(b.shape[-1])] if c.bit() else [])
    c.add("DynamicQuantizeMatMul", inputs, [np.float32], constants=(1,) if c.bit() else (), domain=MICROSOFT, **CLOSE)


def fused_matmul(c):
    m, k, n = c.size(1, 12), c.size(1, 30), c.size(1, 12)
    batch = [c.size(1, 3) for _ in range(c.size(0, 2))]
    attributes, inputs = {"alpha": float(c.random.uniform(0.1, 2))}, []
    for name, matrix in (("A", [m, k]), ("B", [k, n])):
        value = c.floats(*batch, *matrix)
        if c.bit():
            attributes[f"trans{name}"] = 1
            value = np.swapaxes(value, -1, -2)
        if batch and c.bit():
            attributes[f"transBatch{name}"] = 1
            value = np.moveaxis(value, -2, 0)
        inputs.append(np.ascontiguousarray(value))
    c.add_microsoft("FusedMatMul", inputs, [np.float32], (1,) if c.bit() else (), **CLOSE, **attributes)


def n_bits(c):
    k, n, bits = c.size(1, 100), c.size(1, 20), int(c.random.choice([2, 4, 8]))
    block = int(c.random.choice([16, 32, 64]))
    blocks = -(-k // block)
    b = c.bytes(np.uint8, [n, blocks, block * bits // 8])
    zeros = [None, c.bytes(np.uint8, [n, -(-blocks * bits // 8)]),
             c.random.uniform(0, 2**bits, [n, blocks]).astype(np.float32)][c.size(0, 1 if bits == 8 else 2)]
    groups = c.random.integers(0, blocks, k).astype(np.int32) if bits == 4 and c.size(0, 2) == 0 else None
    if groups is not None and zeros is not None and zeros.dtype == np.uint8:
        zeros = None  # ONNX Runtime 1.31 reads no packed zero points beside g_idx
    inputs = [c.floats(*[c.size(1, 3) for _ in range(c.size(1, 2))], k), b, c.scale([n, blocks]), zeros, groups,
              c.floats(n) if c.bit() else None]
    while inputs[-1] is None:
        inputs.pop()
    first = 1 if bits == 8 or c.bit() else 5  # ONNX Runtime wants to see the shape of the bias, and 8-bit weights
    constants = tuple(i for i in range(first, len(inputs)) if inputs[i] is not None)
    c.add_microsoft("MatMulNBits", inputs, [np.float32], constants, K=k, N=n, bits=bits, block_size=block, **CLOSE)


def gelu(c):
    shape = [c.size(1, 5), c.size(1, 40)]
    op = str(c.random.choice(["Gelu", "BiasGelu", "FastGelu", "QuickGelu"]))
    inputs = [c.floats(*shape) * np.float32(2)]
    if op == "BiasGelu" or (op == "FastGelu" and c.bit()):
        inputs.append(c.floats(shape[-1]))
    attributes = {"alpha": float(c.random.uniform(0.5, 2))} if op == "QuickGelu" else {}
    c.add_microsoft(op, inputs, [np.float32], **CLOSE, **attributes)


def skip_norm(c):
    batch, length, size = c.size(1, 3), c.size(1, 5), c.size(2, 40)
    x, skip = c.floats(batch, length, size), c.floats(*[[batch, length, size], [1, length, size]][c.size(0, 1)])
    op = str(c.random.choice(["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"]))
    inputs = [x, skip, c.floats(size)]
    inputs += [c.floats(size) if c.bit() else None] if op == "SkipLayerNormalization" else []
    inputs += [c.floats(size)] if c.bit() else []
    while inputs[-1] is None:
        inputs.pop()
    c.add_microsoft(op, inputs, [np.float32, None, None, np.float32][: 4 if c.bit() else 1], epsilon=1e-5, **NORM)


def simplified_norm(c):
    shape = [c.size(1, 3), c.size(1, 5), c.size(2, 40)]
    axis = c.size(-2, 2)
    c.add("SimplifiedLayerNormalization", [c.floats(*shape), c.floats(*shape[axis:])], [np.float32], axis=axis, **NORM)


def embed_norm(c):
    batch, length, size = c.size(1, 3), c.size(1, 6), c.size(2, 20)
    ids = c.random.integers(0, 9, [batch, length]).astype(np.int32)
    segments = c.random.integers(0, 2, [batch, length]).astype(np.int32) if c.bit() else None
    inputs = [ids, segments, c.floats(9, size), c.floats(length + 2, size), None if segments is None else c.floats(2, size),
              c.floats(size), c.floats(size), c.random.integers(0, 2, [batch, length]).astype(np.int32) if c.bit() else None,
              c.random.integers(0, length, [c.size(1, 2) if batch == 2 else 1, length]).astype(np.int32) if c.bit() else None]
    while inputs[-1] is None:
        inputs.pop()
    outputs = [np.float32, np.int32, np.float32][: c.size(2, 3)]
    tables = tuple(i for i in (2, 3, 4, 5, 6) if inputs[i] is not None)
    c.add_microsoft("EmbedLayerNormalization", inputs, outputs, tables, epsilon=1e-5, **NORM)


def fused_conv(c):
    x, w, attributes = conv_inputs(c, c.size(1, 3), np.int8, np.int8)
    x, w = c.floats(*x.shape), c.floats(*w.shape)
    name, parameters = [("Relu", []), ("Tanh", []), ("Sigmoid", []), ("LeakyRelu", [0.3]), ("Clip", [-0.5, 0.8]),
                        ("HardSigmoid", [0.3, 0.4])][c.size(0, 5)]
    attributes.update(activation=name, activation_params=parameters) if parameters else attributes.update(activation=name)
    inputs = [x, w] + ([c.floats(w.shape[0])] if c.bit() else [])
    c.add_microsoft("FusedConv", inputs, [np.float32], (1,) if c.bit() else (), rtol=1e-4, atol=1e-4, **attributes)


def quantize_pair(c):
    grid = c.random.choice([np.int8, np.uint8, np.int16, np.uint16])
    shape = [c.size(1, 6) for _ in range(c.size(1, 3))]
    axis = c.size(0, len(shape) - 1)
    parameters = [shape[axis]] if c.bit() else []
    if c.bit():
        c.add_microsoft("QuantizeLinear", [c.floats(*shape), c.scale(parameters), c.zero(grid, parameters)], [grid],
                        axis=axis, **STEP)
    else:
        c.add_microsoft("DequantizeLinear", [c.bytes(grid, shape), c.scale(parameters), c.zero(grid, parameters)],
                        [np.float32], axis=axis)


def attention(c):
    batch, length, heads, size, v_size = c.size(1, 3), c.size(1, 6), c.size(1, 4), c.size(1, 8), c.size(1, 8)
    past = c.size(1, 4) if c.size(0, 2) == 0 else 0
    v_size = size if past else v_size
    hidden, width, keys = heads * size, c.size(1, 12), length + past
    columns = 2 * hidden + heads * v_size
    masks = [None, c.random.integers(1, keys + 1, batch), c.random.integers(0, 2, [batch, keys]),
             np.concatenate([c.random.integers(keys // 2 + 1, keys + 1, batch), c.random.integers(0, keys // 2 + 1, batch)]),
             c.random.integers(0, 2, [batch, length, keys])]
    kind = c.size(0, 4)
    mask = masks[kind]
    if kind in (2, 4):
        mask[..., 0] = 1  # rows that see nothing are all rounding: their scores are -10000 and a bit
    # Without a bias ONNX Runtime 1.31 reads through a null pointer.
    inputs = [c.floats(batch, length, width), c.floats(width, columns), c.floats(columns),
              None if mask is None else mask.astype(np.int32), c.floats(2, batch, heads, past, size) if past else None,
              c.floats(1 if c.bit() else batch, 1 if c.bit() else heads, length, keys) if not past and c.bit() else None]
    while inputs[-1] is None:
        inputs.pop()
    attributes = {"num_heads": heads, "unidirectional": c.size(0, 1) if kind != 3 else 0}
    if v_size != size or c.bit():
        attributes["qkv_hidden_sizes"] = [hidden, hidden, heads * v_size]
    if c.bit():
        attributes["scale"] = float(c.random.uniform(0.1, 1))
    c.add_microsoft("Attention", inputs, [np.float32] * (2 if past else 1), (1,) if c.bit() else (), rtol=1e-4,
                    atol=2e-5, **attributes)


def multi_head_attention(c):
    batch, queries, keys, heads, size, v_size = (c.size(1, n) for n in (3, 6, 6, 4, 8, 8))
    form, hidden = c.size(0, 2), heads * size
    past = c.size(1, 4) if form == 2 else 0
    v_size = size if form else v_size
    inputs = [c.floats(batch, queries, hidden), c.floats(batch, keys, hidden), c.floats(batch, keys, heads * v_size)]
    if form == 1:
        inputs[1:] = [c.floats(batch, heads, keys, size), c.floats(batch, heads, keys, v_size)]
    bias = c.floats(2 * hidden + heads * v_size) if form != 1 and c.bit() else None
    total = keys + past
    mask = [None, c.random.integers(0, 2, [batch, total]), c.random.integers(1, total + 1, batch)][c.size(0, 2)]
    if mask is not None and mask.ndim == 2:
        mask[:, 0] = 1
    inputs += [bias, None if mask is None else mask.astype(np.int32),
               c.floats(1 if c.bit() else batch, 1 if c.bit() else heads, queries, total) if c.bit() else None]
    inputs += [c.floats(batch, heads, past, size), c.floats(batch, heads, past, v_size)] if past else []
    while inputs[-1] is None:
        inputs.pop()
    c.add_microsoft("MultiHeadAttention", inputs, [np.float32] * (3 if past else 1), num_heads=heads,
                    unidirectional=c.size(0, 1), rtol=1e-4, atol=2e-5)


def quantized_lstm(c):
    steps, batch, size, hidden = c.size(1, 5), c.size(1, 4), c.size(1, 6), c.size(1, 6)
    direction = str(c.random.choice(["forward", "reverse", "bidirectional"]))
    d = 2 if direction == "bidirectional" else 1
    dtype = c.byte_type()
    lengths = c.random.integers(1, steps + 1, batch).astype(np.int32) if batch == 1 and c.bit() else None
    columns = [d, 4 * hidden] if c.bit() else [d]
    middle = np.full(columns, 0 if dtype == np.int8 else 128, dtype)
    weights = [c.bytes(dtype, [d, rows, 4 * hidden]) // (2 if dtype == np.int8 else 1) for rows in (size, hidden)]
    inputs = [c.floats(steps, batch, size), *weights, c.floats(d, 8 * hidden) if c.bit() else None, lengths,
              c.floats(d, batch, hidden) if c.bit() else None, c.floats(d, batch, hidden) if c.bit() else None,
              c.floats(d, 3 * hidden) if c.bit() else None, c.scale(columns) / np.float32(3), middle,
              c.scale(columns) / np.float32(3), middle]
    # A state that rounds to the next step of its range moves the gates of the next position a little.
    c.add_microsoft("DynamicQuantizeLSTM", inputs, [np.float32] * 3, (1, 2) if c.bit() else (), rtol=1e-3, atol=5e-5,
                    direction=direction, hidden_size=hidden)


KINDS = [quantized_lstm, attention, multi_head_attention, fused_conv, quantize_pair, gelu, skip_norm, simplified_norm, embed_norm, qlinear_binary, qlinear_unary, qlinear_softmax, qlinear_concat, qlinear_global_pool, qlinear_pool, qgemm,
         integer_to_float, dynamic_quantize, fused_matmul, n_bits]

if __name__ == "__main__":
    main(KINDS)
