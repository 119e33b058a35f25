"""Kinds of tests/ops/differential.py: elementwise functions, reductions and what else works along axes."""

import numpy as np
from onnx import TensorProto

from differential_material import case

FLOATS = [np.float32, np.float32, np.float64]
CLOSE = {"rtol": 1e-4, "atol": 1e-6}

# Name: opsets, domain of the argument as (low, high) or None for all.
UNARY = {"Acos": ([7], (-1, 1)), "Acosh": ([9], (1, 9)), "Asin": ([7], (-1, 1)), "Asinh": ([9], None), "Atan": ([7], None),
         "Atanh": ([9], (-0.9, 0.9)), "Cos": ([7], (-9, 9)), "Cosh": ([9], (-5, 5)), "Erf": ([9, 13], None),
         "Exp": ([6, 13], None), "Log": ([6, 13], (1e-3, 9)), "Sin": ([7], (-9, 9)), "Sinh": ([9], (-5, 5)),
         "Sqrt": ([6, 13], (0, 9)), "Tan": ([7], (-1, 1)), "Tanh": ([6, 13], None), "Sigmoid": ([6, 13], None),
         "Softplus": ([1, 22], None), "Softsign": ([1], None), "Mish": ([18], None), "HardSwish": ([14], None),
         "Reciprocal": ([6, 13], (0.1, 9)), "Gelu": ([20], None)}
EXACT = {"Abs": [6, 13], "Neg": [6, 13], "Ceil": [6, 13], "Floor": [6, 13], "Round": [11], "Sign": [9, 13], "Relu": [6, 13, 14],
         "Identity": [1, 13, 16]}
SHAPED = {"LeakyRelu": ["alpha"], "Elu": ["alpha"], "HardSigmoid": ["alpha", "beta"], "Selu": ["alpha", "gamma"],
          "Celu": ["alpha"], "ThresholdedRelu": ["alpha"], "Shrink": ["bias", "lambd"]}


def unary(c):
    op = c.choice(sorted(UNARY))
    opsets, bounds = UNARY[op]
    shape, dtype = c.shape(), c.choice(FLOATS) if op not in ("Mish", "HardSwish", "Softplus", "Asinh", "Acosh") else np.float32
    x = c.floats(*shape, dtype=dtype, scale=3) if bounds is None else np.asarray(c.random.uniform(*bounds, shape), dtype)
    attributes = {"approximate": c.choice(["none", "tanh"])} if op == "Gelu" else {}
    return case(op, [x], c.choice(opsets), **CLOSE, **attributes)


def exact_unary(c):
    op = c.choice(sorted(EXACT))
    dtypes = [np.float32, np.float64]
    dtypes += {"Abs": [np.int8, np.int32, np.int64, np.uint8], "Neg": [np.int8, np.int32, np.int64],
               "Sign": [np.int32, np.int64, np.uint8], "Identity": [np.int16, bool, object]}.get(op, [])
    dtype = np.dtype(c.choice(dtypes))
    x = c.specials(*c.shape(), dtype=dtype) if dtype.kind == "f" else c.numbers(dtype, *c.shape())
    if op == "Sign" and dtype.kind == "f":
        x = np.nan_to_num(x)  # the standard says nothing of NaN
    return case(op, [x], c.choice(EXACT[op]))


def shaped_unary(c):
    op = c.choice(sorted(SHAPED))
    attributes = {name: float(np.float32(c.random.uniform(0.1, 2))) for name in SHAPED[op] if c.bit()}
    opset = {"LeakyRelu": 6, "Elu": 6, "HardSigmoid": 6, "Selu": 6, "Celu": 12, "ThresholdedRelu": 10, "Shrink": 9}[op]
    return case(op, [c.floats(*c.shape(), scale=2)], opset, **CLOSE, **attributes)


def tests_of_numbers(c):
    op = c.choice(["IsNaN", "IsInf", "Not"])
    if op == "Not":
        return case(op, [c.bools(*c.shape())], 1)
    x = c.specials(*c.shape(), dtype=c.choice(FLOATS))
    attributes = {"detect_negative": c.size(0, 1), "detect_positive": c.size(0, 1)} if op == "IsInf" and c.bit() else {}
    return case(op, [x], c.choice([9, 13] if op == "IsNaN" else [10]), **attributes)


def pair(c, dtype, special=False):
    """Two operands that broadcast to one shape, in either order."""
    shape = c.shape()
    shapes = [shape, c.broadcast(shape)]
    if c.bit():
        shapes.reverse()
    make = c.specials if special and np.dtype(dtype).kind == "f" else lambda *s, dtype: c.numbers(dtype, *s)
    return [make(*s, dtype=dtype) for s in shapes]


def arithmetic(c):
    op = c.choice(["Add", "Sub", "Mul", "Div"])
    dtype = np.dtype(c.choice([np.float32, np.float64, np.int32, np.int64]))
    a, b = pair(c, dtype)
    if op == "Div":
        b = np.where(b == 0, 1, b).astype(dtype)
    return case(op, [a, b], c.choice([7, 13, 14]), rtol=1e-6, constants=(1,) if c.bit() else ())


def power(c):
    a, b = pair(c, np.float32)
    if c.bit():
        return case("Pow", [np.abs(a) + np.float32(0.1), b], c.choice([7, 12, 13, 15]), **CLOSE)
    dtype = c.choice([np.int32, np.int64, np.float32])
    exponent = c.integers(np.int32, b.shape if c.bit() else (), 0, 3).astype(dtype)
    base = a if c.bit() else c.integers(c.choice([np.int32, np.int64]), a.shape, -5, 5)
    return case("Pow", [base, exponent], 15, **CLOSE)


def modulo(c):
    fractions = c.bit()
    dtype = np.dtype(c.choice(FLOATS if fractions else [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint32]))
    a, b = pair(c, dtype)
    return case("Mod", [a, np.where(b == 0, 3, b).astype(dtype)], c.choice([10, 13]), rtol=1e-5,
                fmod=1 if fractions else c.size(0, 1))


def compare(c):
    op = c.choice(["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"])
    dtype = c.choice([np.float32, np.float64, np.int32, np.int64] + ([bool] if op == "Equal" else []))
    opset = c.choice([12, 16] if "Or" in op else [11, 13] if op == "Equal" else [9, 13])
    return case(op, pair(c, dtype, special=True), opset)


def logic(c):
    return case(c.choice(["And", "Or", "Xor"]), pair(c, bool), 7)


def bits(c):
    op = c.choice(["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift"])
    if op == "BitShift":
        dtype = c.choice([np.uint8, np.uint32, np.uint64])
        a, b = pair(c, dtype)
        return case(op, [a, (b % 8).astype(dtype)], 11, direction=c.choice(["LEFT", "RIGHT"]))
    dtype = c.choice([np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64])
    return case(op, pair(c, dtype)[:1 if op == "BitwiseNot" else 2], 18)


def variadic(c):
    op = c.choice(["Max", "Min", "Sum", "Mean"])
    dtype = c.choice([np.float32, np.float64] + ([np.int32, np.int64] if op in ("Max", "Min") else []))
    shape = c.shape()
    inputs = [c.numbers(dtype, *(c.broadcast(shape) if k else shape)) for k in range(c.size(1, 4))]
    return case(op, inputs, c.choice([12, 13] if op in ("Max", "Min") else [8, 13]), rtol=1e-5, atol=1e-6)


def clip(c):
    dtype = np.dtype(c.choice([np.float32, np.float64, np.int8, np.uint8, np.int64, np.int32]))
    bounds = sorted(c.numbers(dtype, 2).tolist())
    inputs = [c.numbers(dtype, *c.shape())] + [np.asarray(b, dtype) if c.size(0, 2) else None for b in bounds]
    while inputs[-1] is None:
        inputs.pop()
    return case("Clip", inputs, c.choice([12, 13]))


def prelu(c):
    a, b = c.floats(*c.shape(1)), None
    b = c.floats(*c.broadcast(list(a.shape)))
    return case("PRelu", [a, b], c.choice([9, 16]), rtol=1e-6)


def where(c):
    shape = c.shape()
    dtype = c.choice([np.float32, np.int64, np.uint8, np.int32, object])
    return case("Where", [c.bools(*c.broadcast(shape)), c.numbers(dtype, *shape), c.numbers(dtype, *c.broadcast(shape))],
                c.choice([9, 16]))


def cast(c):
    types = [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64,
             np.uint64, bool]
    dtype, to = np.dtype(c.choice(types)), c.choice(types)
    x = c.floats(*c.shape(), dtype=dtype, scale=9) if dtype.kind == "f" else c.numbers(dtype, *c.shape())
    if dtype.kind == "f" and np.dtype(to).kind == "u":
        x = np.abs(x)  # what a negative number becomes is left open
    import onnx.helper
    return case("Cast", [x], c.choice([9, 13, 19]), to=onnx.helper.np_dtype_to_tensor_dtype(np.dtype(to)))


REDUCE = ["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
          "ReduceSum", "ReduceSumSquare"]


def reduction(c):
    op = c.choice(REDUCE)
    shape = [max(d, 1) for d in c.shape(1)]
    dtype = c.choice([np.float32, np.float32, np.float64, np.int32] if op != "ReduceLogSum" else [np.float32])
    if dtype == np.int32 and op in ("ReduceL2", "ReduceLogSumExp", "ReduceMean", "ReduceL1"):
        dtype = np.float32  # how these round is left open
    x = c.numbers(dtype, *shape)
    x = np.abs(x) + np.float32(0.1) if op == "ReduceLogSum" else x
    if op == "ReduceProd" and dtype == np.int32:
        x = np.sign(x)  # overflow is left open
    attributes, inputs, axes = {"keepdims": c.size(0, 1)}, [x], c.axes(len(shape))
    new = c.bit()
    if c.size(0, 3):
        if new:
            inputs.append(np.asarray(axes, np.int64))
        else:
            attributes["axes"] = axes
    elif new and c.bit():
        attributes["noop_with_empty_axes"] = 0
    opset = (13 if new else 11) if op == "ReduceSum" else 18 if new else c.choice([11, 13])
    return case(op, inputs, opset, constants=(1,) if c.bit() else (), rtol=1e-4, atol=1e-5, **attributes)


def arg(c):
    shape = [max(d, 1) for d in c.shape(1)]
    dtype = c.choice([np.float32, np.int32, np.int8, np.uint8])
    return case(c.choice(["ArgMax", "ArgMin"]), [c.numbers(dtype, *shape)], c.choice([12, 13]), axis=c.axis(len(shape)),
                keepdims=c.size(0, 1), select_last_index=c.size(0, 1))


def softmax(c):
    op = c.choice(["Softmax", "LogSoftmax", "Hardmax"])
    shape = [max(d, 1) for d in c.shape(1)]
    return case(op, [c.floats(*shape, dtype=c.choice(FLOATS), scale=3)], c.choice([1, 11, 13]) if op != "Hardmax" else 13,
                rtol=1e-4, atol=1e-6, axis=c.size(0, len(shape) - 1))


def running(c):
    shape = [max(d, 1) for d in c.shape(1)]
    return case("CumSum", [c.numbers(c.choice([np.float32, np.float64, np.int32, np.int64]), *shape),
                           np.asarray(c.axis(len(shape)), np.int64)], c.choice([11, 14]), rtol=1e-5, atol=1e-5,
                exclusive=c.size(0, 1), reverse=c.size(0, 1))


def normalize(c):
    op = c.choice(["LpNormalization", "MeanVarianceNormalization", "RMSNormalization"])
    shape = [max(d, 1) for d in c.shape(2)]
    if op == "MeanVarianceNormalization":
        shape = [2, 3, 4, 3]
        return case(op, [c.floats(*shape)], c.choice([9, 13]), rtol=1e-3, atol=1e-4, axes=c.choice([[0, 2, 3], [2, 3]]))
    if op == "RMSNormalization":
        axis = c.size(0, len(shape) - 1)
        return case(op, [c.floats(*shape), c.floats(*shape[axis:])], 23, rtol=1e-4, atol=1e-5, axis=axis)
    return case(op, [c.floats(*shape) + np.float32(0.1)], 1, rtol=1e-4, atol=1e-5, axis=c.axis(len(shape)), p=c.size(1, 2))


def top(c):
    shape = [max(d, 1) for d in c.shape(1)]
    axis = c.axis(len(shape))
    dtype = c.choice([np.float32, np.float64, np.int64, np.int32])
    return case("TopK", [c.numbers(dtype, *shape), np.asarray([c.size(0, shape[axis])], np.int64)], 11, outputs=2, axis=axis,
                largest=c.size(0, 1), sorted=1, constants=(1,) if c.bit() else ())


def loss(c):
    classes, batch = c.size(2, 5), c.size(1, 4)
    rest = c.choice([[], [2], [2, 3]])
    x = c.floats(batch, classes, *rest)
    labels = c.random.integers(0, classes, [batch] + rest).astype(c.choice([np.int32, np.int64]))
    inputs = [x, labels] + ([np.abs(c.floats(classes)) + np.float32(0.1)] if c.bit() else [])
    attributes = {"reduction": c.choice(["none", "mean", "sum"])}
    if c.bit():
        attributes["ignore_index"] = c.size(0, classes - 1)
        if (labels == attributes["ignore_index"]).all():
            del attributes["ignore_index"]  # the mean of nothing is left open
    return case(c.choice(["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"]), inputs, 13, rtol=1e-4, atol=1e-5,
                **attributes)


def determinant(c):
    n = c.size(1, 4)
    return case("Det", [c.floats(*c.shape(0, 2, 3), n, n)], 11, rtol=1e-3, atol=1e-4)


def fourier(c):
    length, complex_ = c.size(2, 9), c.bit()
    inverse, one = c.size(0, 1), 0 if complex_ else c.size(0, 1)
    x = c.floats(c.size(1, 3), length, 2 if complex_ else 1)
    return case("DFT", [x], 17, rtol=1e-3, atol=1e-4, axis=1, inverse=inverse if not one else 0, onesided=one)


def taper(c):
    op = c.choice(["HannWindow", "HammingWindow", "BlackmanWindow"])
    return case(op, [np.asarray(c.size(2, 12), np.int64)], 17, rtol=1e-4, atol=1e-5, periodic=c.size(0, 1))


def dropout(c):
    return case("Dropout", [c.floats(*c.shape())], c.choice([7, 10]), outputs=1, ratio=0.5)


def quantize_like(c):
    """Random numbers cannot be compared; their shape and type can: EyeLike, ConstantOfShape and their like."""
    op = c.choice(["EyeLike", "ConstantOfShape", "Range", "Shape", "Size"])
    if op == "EyeLike":
        return case(op, [c.floats(c.size(1, 5), c.size(1, 5))], 9, k=c.size(-2, 2),
                    dtype=c.choice([TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32]))
    if op == "ConstantOfShape":
        return case(op, [np.asarray(c.shape(), np.int64)], 9)
    if op == "Range":
        dtype = c.choice([np.float32, np.int32, np.int64, np.float64])
        return case(op, [np.asarray(v, dtype) for v in (c.size(-5, 5), c.size(-5, 15), c.choice([-2, -1, 1, 3]))], 11, rtol=1e-6)
    if op == "Size":
        return case(op, [c.floats(*c.shape())], c.choice([1, 13]))
    attributes = {"start": c.size(-3, 3), "end": c.size(-3, 5)} if c.bit() else {}
    return case(op, [c.floats(*c.shape())], 15, **attributes)


KINDS = [unary, exact_unary, shaped_unary, tests_of_numbers, arithmetic, power, modulo, compare, logic, bits, variadic, clip,
         prelu, where, cast, reduction, arg, softmax, running, normalize, top, loss, determinant, fourier, taper, dropout,
         quantize_like]
