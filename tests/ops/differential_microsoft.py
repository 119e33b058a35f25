"""The same for the operators that ONNX Runtime adds in its domain com.microsoft: see differential.py.

    differential_microsoft.py FOLDER [SEED [COUNT]]

8-bit results may differ by one step where ONNX Runtime's order of float operations depends on the machine."""

import numpy as np

from differential import main

STEP = {"rtol": 0.0, "atol": 1.0}


def shapes(c, rank=4):
    """Two shapes that broadcast."""
    shape = [c.size(1, 7) for _ in range(c.size(1, rank))]
    other = [1 if c.size(0, 3) == 0 else n for n in shape][c.size(0, len(shape)):]
    return (shape, other) if c.bit() else (other, shape)


def qlinear_binary(c):
    dtype = c.byte_type()
    a, b = shapes(c)
    inputs = [c.bytes(dtype, a), c.scale(), c.zero(dtype), c.bytes(dtype, b), c.scale(), c.zero(dtype), c.scale()]
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


KINDS = [qlinear_binary, qlinear_unary, qlinear_softmax, qlinear_concat, qlinear_global_pool, qlinear_pool]

if __name__ == "__main__":
    main(KINDS)
