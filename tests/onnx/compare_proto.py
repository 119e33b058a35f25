"""Holds proto/*.proto against the messages of the official `onnx` wheel: every message, field, number, label, type.

usage: compare_proto.py PROTOC PROTO_FOLDER     exit 77 (skipped) when Python has no onnx or protobuf package
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import onnx
    from google.protobuf import descriptor_pb2
    from onnx import onnx_data_pb2, onnx_ml_pb2
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

OURS = {"onnx.proto": onnx_ml_pb2, "onnx-data.proto": onnx_data_pb2}


def compiled(protoc, folder):
    """Our files as descriptors, by file name."""
    with tempfile.TemporaryDirectory() as temporary:
        target = pathlib.Path(temporary, "set.bin")
        subprocess.run(
            [protoc, f"--proto_path={folder}", f"--descriptor_set_out={target}", *OURS], check=True, cwd=folder
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())
    return {file.name: file for file in files.file}


def facts_of_message(message, path, facts):
    """Adds what identifies each field on the wire, and each enum value, under readable keys."""
    path = f"{path}.{message.name}"
    facts[path] = "message"
    for field in message.field:
        oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
        facts[f"{path}.{field.name}"] = (
            field.number,
            descriptor_pb2.FieldDescriptorProto.Label.Name(field.label),
            descriptor_pb2.FieldDescriptorProto.Type.Name(field.type),
            field.type_name,
            field.options.packed,
            oneof,
        )
    for nested in message.nested_type:
        facts_of_message(nested, path, facts)
    for enum in message.enum_type:
        facts_of_enum(enum, path, facts)


def facts_of_enum(enum, path, facts):
    for value in enum.value:
        facts[f"{path}.{enum.name}.{value.name}"] = value.number


def facts_of(file):
    facts = {}
    for message in file.message_type:
        facts_of_message(message, file.package, facts)
    for enum in file.enum_type:
        facts_of_enum(enum, file.package, facts)
    return facts


def main(protoc, folder):
    ours = compiled(protoc, folder)
    differences = 0
    compared = 0
    for name, module in OURS.items():
        official_file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(official_file)
        own, official = facts_of(ours[name]), facts_of(official_file)
        for key in sorted(own.keys() | official.keys()):
            compared += 1
            if own.get(key) != official.get(key):
                differences += 1
                print(f"{name}: {key}: ours {own.get(key)}, onnx {onnx.__version__} {official.get(key)}")
    print(f"{compared} messages, fields and enum values compared with onnx {onnx.__version__}: {differences} differ")
    return 1 if differences or compared < 200 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], str(pathlib.Path(sys.argv[2]).resolve())))
