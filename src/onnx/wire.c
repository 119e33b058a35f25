// Walks over scanned messages, and varints.
#include "onnx/wire.h"

#include "onnx.pb-c.h"

#include <string.h>

size_t oq_varint_read(const uint8_t *bytes, size_t count, uint64_t *value) {
    uint64_t result = 0;
    for (size_t i = 0; i < count && i < 10; i++) {
        result |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
        if (bytes[i] & 0x80) continue;
        *value = result;
        return i + 1;
    }
    return 0;
}

size_t oq_varint_write(uint8_t into[10], uint64_t value) {
    size_t length = 0;
    while (value >= 0x80) {
        into[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    into[length++] = (uint8_t)value;
    return length;
}

bool oq_field_is_elements(const ProtobufCMessageDescriptor *message, const ProtobufCFieldDescriptor *field) {
    if (message != &onnx__tensor_proto__descriptor || !field) return false;
    switch (field->offset) {
    case offsetof(Onnx__TensorProto, raw_data):
    case offsetof(Onnx__TensorProto, float_data):
    case offsetof(Onnx__TensorProto, double_data):
    case offsetof(Onnx__TensorProto, int32_data):
    case offsetof(Onnx__TensorProto, int64_data):
    case offsetof(Onnx__TensorProto, uint64_data):
    case offsetof(Onnx__TensorProto, string_data): return true;
    default: return false;
    }
}

uint32_t oq_field_number(const ProtobufCMessageDescriptor *message, size_t offset_in_struct) {
    for (unsigned i = 0; i < message->n_fields; i++)
        if (message->fields[i].offset == offset_in_struct) return message->fields[i].id;
    return 0;
}

// The last cut that begins at or before `offset`, or NULL.
static const oq_cut *cut_before(const oq_image *image, uint64_t offset) {
    size_t low = 0, high = image->cut_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (image->cuts[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &image->cuts[low - 1] : NULL;
}

const uint8_t *oq_image_at(const oq_image *image, uint64_t offset) {
    const oq_cut *cut = cut_before(image, offset);
    if (!cut) return image->bytes + offset;
    const uint64_t behind = cut->offset + cut->size;
    return image->bytes + cut->at + (offset > behind ? offset - behind : 0);
}

bool oq_image_is_cut(const oq_image *image, uint64_t offset) {
    const oq_cut *cut = cut_before(image, offset);
    return cut && cut->offset == offset;
}

oq_cursor oq_cursor_of(const oq_image *image, const ProtobufCMessageDescriptor *message,
                       const oq_field *field) {
    return (oq_cursor){
        .image = image, .message = message, .at = field->offset, .end = field->offset + field->size};
}

bool oq_cursor_next(oq_cursor *cursor, oq_field *field) {
    if (cursor->at >= cursor->end) return false;
    const uint8_t *bytes = oq_image_at(cursor->image, cursor->at);
    const size_t left = (size_t)(cursor->image->bytes + cursor->image->count - bytes);
    uint64_t tag = 0, value = 0;
    size_t length = oq_varint_read(bytes, left, &tag);
    const size_t tag_length = length;
    *field = (oq_field){.number = (uint32_t)(tag >> 3), .wire = (int)(tag & 7), .start = cursor->at};
    field->known = protobuf_c_message_descriptor_get_field(cursor->message, field->number);
    if (field->wire == OQ_WIRE_FIXED64) {
        memcpy(&value, bytes + length, 8);
        length += 8;
    } else if (field->wire == OQ_WIRE_FIXED32) {
        memcpy(&value, bytes + length, 4);
        length += 4;
    } else {
        length += oq_varint_read(bytes + length, left - length, &value);
    }
    if (field->wire == OQ_WIRE_BYTES) {
        field->offset = cursor->at + length;
        field->size = value;
        cursor->at += length + value;
    } else {
        field->offset = cursor->at + tag_length;
        field->size = length - tag_length;
        field->value = value;
        cursor->at += length;
    }
    return true;
}
