"""Models of float16, bfloat16 and double: sample models cast to each type are quantized like their float32 originals. The files are
valid, keep the types of inputs and outputs, load in ONNX Runtime, give there what they give in onnxq, and are as accurate."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

SOURCE, ONNXQ = os.environ["ONNXQ_SOURCE"], os.environ["ONNXQ"]
sys.path.insert(0, os.path.join(SOURCE, "bench"))
import common  # noqa: E402
from own import own_outputs  # noqa: E402

TYPES = {"float16": (TensorProto.FLOAT16, np.float16), "double": (TensorProto.DOUBLE, np.float64), "bfloat16": (TensorProto.BFLOAT16, None)}


def cast_model(path, out, kind):
    """Every float32 tensor of a model in another type."""
    number, dtype = TYPES[kind]
    model = onnx.load(path)
    for tensors in (model.graph.initializer, *([a.t for a in n.attribute if a.HasField("t")] for n in model.graph.node)):
        for tensor in tensors:
            if tensor.data_type == TensorProto.FLOAT:
                array = numpy_helper.to_array(tensor)
                made = numpy_helper.from_array(array.astype(dtype), tensor.name) if dtype else helper.make_tensor(
                    tensor.name, number, array.shape, array.ravel())
                tensor.CopyFrom(made)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = number
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = number
    onnx.save(onnx.version_converter.convert_version(model, 22) if kind == "bfloat16" else model, out)


def convert(model, out, *flags):
    subprocess.run([ONNXQ, "convert", "--no-cache", model, out, "-q", *flags], check=True)
    made = onnx.load(out)
    onnx.checker.check_model(made, full_check=True)
    given = onnx.load(model)
    for a, b in zip((*given.graph.input, *given.graph.output), (*made.graph.input, *made.graph.output)):
        assert a.name == b.name and a.type.tensor_type.elem_type == b.type.tensor_type.elem_type, "the interface changed"


def peer_outputs(path, images):
    session = common.session(common.exact_form(path, path + ".exact.onnx"))
    return np.concatenate([session.run(["logits"], {"image": image[None]})[0] for image in images]).astype(np.float64)


def check(name, kind, form, scratch):
    folder = os.path.join(SOURCE, "models", name)
    original, samples = os.path.join(folder, "model.onnx"), dict(np.load(os.path.join(folder, "calib.npz")))
    given, quantized, data = (os.path.join(scratch, f"{name}_{kind}{end}") for end in (".onnx", "_q.onnx", ".npz"))
    plain = os.path.join(scratch, name + "_q.onnx")
    cast_model(original, given, kind)
    if kind == "bfloat16":  # has no array type in .npz: the mode that needs no data
        return convert(given, quantized, "--mode", "dynamic")
    images = samples["image"].astype(TYPES[kind][1])
    np.savez(data, image=images)
    convert(given, quantized, "--data", data, "--format", form)
    convert(original, plain, "--data", os.path.join(folder, "calib.npz"), "--format", form)
    floats = own_outputs(original, os.path.join(folder, "calib.npz"), os.path.join(scratch, f"{name}_{kind}_{form}_f"))
    usual = own_outputs(plain, os.path.join(folder, "calib.npz"), os.path.join(scratch, f"{name}_{kind}_{form}_u"))
    own = own_outputs(quantized, data, os.path.join(scratch, f"{name}_{kind}_{form}_o"))
    sqnr = [10 * np.log10(np.sum(floats ** 2) / np.sum((floats - y) ** 2)) for y in (usual, own)]
    peer = peer_outputs(quantized, images)
    noise = 10 * np.log10(np.sum(own ** 2) / max(np.sum((own - peer) ** 2), 1e-30))
    print(f"{name} {kind} {form}: {sqnr[1]:.2f} dB, float32 {sqnr[0]:.2f} dB; ONNX Runtime gives the same to {noise:.0f} dB")
    assert sqnr[1] > sqnr[0] - 1.5 and noise > 33, f"{name} {kind} {form}"


def check_left_float(kind, scratch):
    """A large layer that stays float takes no more bytes than it did, and ONNX Runtime reads it."""
    given, quantized = os.path.join(scratch, f"left_{kind}.onnx"), os.path.join(scratch, f"left_{kind}_q.onnx")
    cast_model(os.path.join(SOURCE, "models", "mlp", "model.onnx"), given, kind)
    convert(given, quantized, "--mode", "dynamic", "--exclude", "*fc1*")
    share = os.path.getsize(quantized) / os.path.getsize(given)
    stored = {i.data_type for i in onnx.load(quantized).graph.initializer if np.prod(i.dims) >= 1024}
    assert share < 1 and TYPES[kind][0] in stored, f"{kind}: {share:.2f} of the given file, {stored}"
    if kind == "float16":
        images = np.load(os.path.join(SOURCE, "models", "mlp", "calib.npz"))["image"].astype(np.float16)
        exact, before = (ort.InferenceSession(path).run(None, {"image": images[:1]})[0].astype(np.float64)
                         for path in (common.exact_form(quantized, quantized + ".exact.onnx"), given))
        sqnr = 10 * np.log10((before ** 2).sum() / ((before - exact) ** 2).sum())
        assert sqnr > 30, f"{kind}: {sqnr:.1f} dB in ONNX Runtime"
    print(f"{kind}, the largest layer left float: {share:.2f} of the given file")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        for kind in ("float16", "bfloat16"):
            check_left_float(kind, scratch)
        for name in sys.argv[1:]:
            for kind in TYPES:
                for form in ("qdq", "qoperator"):
                    check(name, kind, form, scratch)


if __name__ == "__main__":
    main()
