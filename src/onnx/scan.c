// The scan of untrusted model bytes: one pass that keeps the structure, leaves large payloads in the file and
// refuses what is malformed, with the offset of the first bad byte.
#include "onnx/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define READ_AHEAD ((size_t)64 << 10)
// A structure of few bytes that unfolds into many objects is refused: fields beyond these are allowed only in
// proportion to the bytes kept (the smallest fields of real models have 4 to 8 bytes).
#define FREE_FIELDS     2000000
#define BYTES_PER_FIELD 5

typedef struct scanner {
    oq_image *image;
    uint64_t at;     // offset in the file of the first byte not yet kept
    size_t filled;   // bytes read into image->bytes; those behind image->count are read ahead
    uint64_t fields; // seen so far, elements of tensors aside
    oq_error *err;
} scanner;

__attribute__((format(printf, 3, 4))) static oq_status bad(scanner *scan, uint64_t offset, const char *format,
                                                           ...) {
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const char *path = oq_file_path(scan->image->file);
    oq_fail(scan->err, ONNXQ_BAD_MODEL, "'%s' is damaged, or no ONNX file: %s at byte %llu", path, what,
            (unsigned long long)offset);
    oq_error_at_file(scan->err, path);
    if (scan->err) scan->err->offset = offset;
    return ONNXQ_BAD_MODEL;
}

static oq_status make_room(scanner *scan, size_t count) {
    oq_image *image = scan->image;
    size_t need = 0;
    if (!oq_add_size(image->count, count, &need))
        return oq_fail(scan->err, ONNXQ_NO_MEMORY, "not enough memory: a field of %zu bytes", count);
    if (need <= image->capacity) return ONNXQ_OK;
    const size_t capacity = need > image->capacity * 2 ? need : image->capacity * 2;
    uint8_t *bytes = oq_mem_realloc(image->mem, image->bytes, capacity, scan->err);
    if (!bytes) return ONNXQ_NO_MEMORY;
    image->bytes = bytes;
    image->capacity = capacity;
    return ONNXQ_OK;
}

// Reads on until `count` bytes lie ready behind image->count, or the file ends.
static oq_status fill(scanner *scan, size_t count) {
    oq_image *image = scan->image;
    const size_t ahead = scan->filled - image->count;
    if (ahead >= count) return ONNXQ_OK;
    const uint64_t left = oq_file_size(image->file) - scan->at - ahead;
    size_t wanted = count - ahead > READ_AHEAD ? count - ahead : READ_AHEAD;
    if (wanted > left) wanted = (size_t)left;
    OQ_TRY(make_room(scan, ahead + wanted));
    OQ_TRY(oq_file_read(image->file, scan->at + ahead, image->bytes + scan->filled, wanted, scan->err));
    scan->filled += wanted;
    return ONNXQ_OK;
}

// Keeps `count` bytes, which the caller knows to be inside the file.
static oq_status keep(scanner *scan, uint64_t count) {
    OQ_TRY(fill(scan, (size_t)count));
    scan->image->count += (size_t)count;
    scan->at += count;
    return ONNXQ_OK;
}

// Leaves `count` bytes in the file.
static oq_status cut(scanner *scan, uint64_t count) {
    oq_image *image = scan->image;
    OQ_TRY(oq_mem_reserve(image->mem, (void **)&image->cuts, image->cut_count, &image->cut_capacity,
                          sizeof *image->cuts, scan->err));
    image->cuts[image->cut_count++] = (oq_cut){.offset = scan->at, .size = count, .at = image->count};
    const size_t ahead = scan->filled - image->count;
    scan->at += count;
    if (ahead <= count) {
        scan->filled = image->count;
    } else {
        memmove(image->bytes + image->count, image->bytes + image->count + count, ahead - (size_t)count);
        scan->filled -= (size_t)count;
    }
    return ONNXQ_OK;
}

// Keeps a varint that must end before `end`.
static oq_status keep_varint(scanner *scan, uint64_t end, uint64_t *value) {
    OQ_TRY(fill(scan, 10));
    const size_t ahead = scan->filled - scan->image->count;
    const uint64_t left = end - scan->at;
    const size_t length =
        oq_varint_read(scan->image->bytes + scan->image->count, ahead < left ? ahead : (size_t)left, value);
    if (!length)
        return bad(scan, scan->at, left < 10 ? "a number is cut off" : "a number has more than 10 bytes");
    return keep(scan, length);
}

// The wire type in which single values of a field are written.
static int wire_of(const ProtobufCFieldDescriptor *field) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32: return OQ_WIRE_FIXED32;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64: return OQ_WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return OQ_WIRE_BYTES;
    default: return OQ_WIRE_VARINT;
    }
}

static oq_status scan_text(scanner *scan, const ProtobufCMessageDescriptor *message,
                           const ProtobufCFieldDescriptor *field, uint64_t size) {
    const uint64_t start = scan->at;
    const size_t first = scan->image->count;
    OQ_TRY(keep(scan, size));
    const uint8_t *nul = size ? memchr(scan->image->bytes + first, 0, (size_t)size) : NULL;
    if (!nul) return ONNXQ_OK;
    return bad(scan, start + (uint64_t)(nul - scan->image->bytes) - first, "a NUL inside %s of %s",
               field->name, message->short_name);
}

// Several numbers in one field.
static oq_status scan_packed(scanner *scan, const ProtobufCMessageDescriptor *message,
                             const ProtobufCFieldDescriptor *field, uint64_t size) {
    const int wire = wire_of(field);
    const uint64_t end = scan->at + size;
    if (wire == OQ_WIRE_VARINT) {
        uint64_t value = 0;
        while (scan->at < end) OQ_TRY(keep_varint(scan, end, &value));
        return ONNXQ_OK;
    }
    const uint64_t each = wire == OQ_WIRE_FIXED32 ? 4 : 8;
    if (size % each)
        return bad(scan, end - size % each, "%llu bytes are no whole number of elements in %s of %s",
                   (unsigned long long)size, field->name, message->short_name);
    return oq_field_is_elements(message, field) && size > OQ_CUT_BYTES ? cut(scan, size) : keep(scan, size);
}

static oq_status scan_message(scanner *scan, const ProtobufCMessageDescriptor *message, uint64_t end,
                              int depth);

// A field of wire type BYTES whose tag began at `start`.
static oq_status scan_bytes(scanner *scan, const ProtobufCMessageDescriptor *message,
                            const ProtobufCFieldDescriptor *field, uint64_t start, uint64_t end, int depth) {
    uint64_t size = 0;
    OQ_TRY(keep_varint(scan, end, &size));
    if (size > end - scan->at)
        return bad(scan, start, "a length of %llu where only %llu bytes are left in %s",
                   (unsigned long long)size, (unsigned long long)(end - scan->at), message->short_name);
    if (!field) return keep(scan, size);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (depth >= OQ_MOST_DEPTH)
            return bad(scan, start, "messages nested more than %d deep", OQ_MOST_DEPTH);
        return scan_message(scan, field->descriptor, scan->at + size, depth + 1);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) return scan_text(scan, message, field, size);
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        const bool payload =
            field->label != PROTOBUF_C_LABEL_REPEATED && oq_field_is_elements(message, field);
        return payload && size > OQ_CUT_BYTES ? cut(scan, size) : keep(scan, size);
    }
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return bad(scan, start, "%s of %s holds bytes, not a number", field->name, message->short_name);
    return scan_packed(scan, message, field, size);
}

static oq_status count_field(scanner *scan, const ProtobufCMessageDescriptor *message,
                             const ProtobufCFieldDescriptor *field, uint64_t start) {
    if (oq_field_is_elements(message, field) && field->type != PROTOBUF_C_TYPE_BYTES) return ONNXQ_OK;
    if (++scan->fields <= FREE_FIELDS + scan->image->count / BYTES_PER_FIELD) return ONNXQ_OK;
    return bad(scan, start, "an absurd number of tiny fields (%llu)", (unsigned long long)scan->fields);
}

static oq_status scan_field(scanner *scan, const ProtobufCMessageDescriptor *message, uint64_t end,
                            int depth) {
    const uint64_t start = scan->at;
    uint64_t tag = 0, value = 0;
    OQ_TRY(keep_varint(scan, end, &tag));
    const int wire = (int)(tag & 7);
    if (tag >> 3 == 0 || tag >> 3 >= 1u << 29)
        return bad(scan, start, "field number %llu in %s", (unsigned long long)(tag >> 3),
                   message->short_name);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(message, (unsigned)(tag >> 3));
    OQ_TRY(count_field(scan, message, field, start));
    if (wire == OQ_WIRE_BYTES) return scan_bytes(scan, message, field, start, end, depth);
    if (field && wire_of(field) != wire)
        return bad(scan, start, "wire type %d for %s of %s", wire, field->name, message->short_name);
    if (wire == OQ_WIRE_VARINT) return keep_varint(scan, end, &value);
    if (wire != OQ_WIRE_FIXED32 && wire != OQ_WIRE_FIXED64)
        return bad(scan, start, wire == 3 || wire == 4 ? "a group" : "wire type %d", wire);
    const uint64_t size = wire == OQ_WIRE_FIXED32 ? 4 : 8;
    if (size > end - scan->at) return bad(scan, scan->at, "a number is cut off");
    return keep(scan, size);
}

static oq_status scan_message(scanner *scan, const ProtobufCMessageDescriptor *message, uint64_t end,
                              int depth) {
    while (scan->at < end) OQ_TRY(scan_field(scan, message, end, depth));
    return ONNXQ_OK;
}

oq_status oq_image_scan(oq_mem *mem, oq_file *file, const ProtobufCMessageDescriptor *message,
                        oq_image *image, oq_error *err) {
    *image = (oq_image){.mem = mem, .file = oq_file_retain(file)};
    scanner scan = {.image = image, .err = err};
    const oq_status status = scan_message(&scan, message, oq_file_size(file), 1);
    if (status != ONNXQ_OK) oq_error_at_file(err, oq_file_path(file));
    return status;
}

void oq_image_release(oq_image *image) {
    oq_mem_free(image->mem, image->bytes);
    oq_mem_free(image->mem, image->cuts);
    oq_file_release(image->file);
    *image = (oq_image){0};
}
