// Messages in the making, in pieces.
#include "onnx/rope.h"

#include <string.h>

#define COPY_BYTES    ((size_t)1 << 20) // of one read from a file
#define PACK_ELEMENTS 4096              // packed at once; a multiple of what shares a byte
#define FRAME_BYTES   15                // tag (5) and length (10) at most

typedef enum piece_kind { OWN, LATE, FRAME, RANGE, TENSOR } piece_kind;

struct oq_piece {
    piece_kind kind;
    uint64_t size;
    union {
        size_t at;        // OWN: in rope->bytes
        const void *late; // LATE
        struct {          // FRAME: the tag, later with the length behind it
            uint8_t head[FRAME_BYTES];
            uint8_t tag_size;
        } frame;
        struct { // RANGE
            oq_file *file;
            uint64_t offset;
        } range;
        const oq_tensor *tensor; // TENSOR
    };
};

void oq_rope_init(oq_rope *rope, oq_mem *mem) {
    *rope = (oq_rope){.mem = mem};
    oq_text_init(&rope->bytes, mem);
}

void oq_rope_release(oq_rope *rope) {
    oq_text_release(&rope->bytes);
    oq_mem_free(rope->mem, rope->pieces);
    rope->pieces = NULL;
    rope->count = rope->capacity = 0;
}

oq_status oq_rope_check(const oq_rope *rope, oq_error *err) {
    if (rope->status == ONNXQ_OK && !rope->bytes.failed) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory to put the model together");
}

// A new piece at the end, or NULL after a failure.
static oq_piece *add_piece(oq_rope *rope, piece_kind kind, uint64_t size) {
    if (rope->status != ONNXQ_OK) return NULL;
    rope->status = oq_mem_reserve(rope->mem, (void **)&rope->pieces, rope->count, &rope->capacity,
                                  sizeof *rope->pieces, NULL);
    if (rope->status != ONNXQ_OK) return NULL;
    oq_piece *piece = &rope->pieces[rope->count++];
    *piece = (oq_piece){.kind = kind, .size = size};
    rope->size += size;
    return piece;
}

void oq_rope_add(oq_rope *rope, const void *bytes, size_t count) {
    if (!count || rope->status != ONNXQ_OK) return;
    oq_piece *last = rope->count ? &rope->pieces[rope->count - 1] : NULL;
    if (last && last->kind == OWN) {
        last->size += count;
        rope->size += count;
    } else {
        last = add_piece(rope, OWN, count);
        if (last) last->at = rope->bytes.length;
    }
    oq_text_add_bytes(&rope->bytes, bytes, count);
}

void oq_rope_add_varint(oq_rope *rope, uint64_t value) {
    uint8_t bytes[10];
    oq_rope_add(rope, bytes, oq_varint_write(bytes, value));
}

void oq_rope_add_tag(oq_rope *rope, uint32_t number, int wire) {
    oq_rope_add_varint(rope, (uint64_t)number << 3 | (uint64_t)wire);
}

void oq_rope_add_late(oq_rope *rope, const void *bytes, size_t count) {
    oq_piece *piece = add_piece(rope, LATE, count);
    if (piece) piece->late = bytes;
}

void oq_rope_add_range(oq_rope *rope, oq_file *file, uint64_t offset, uint64_t size) {
    if (!size || rope->status != ONNXQ_OK) return;
    oq_piece *last = rope->count ? &rope->pieces[rope->count - 1] : NULL;
    if (last && last->kind == RANGE && last->range.file == file &&
        last->range.offset + last->size == offset) {
        last->size += size; // neighbours in the file are copied in one go
        rope->size += size;
        return;
    }
    last = add_piece(rope, RANGE, size);
    if (!last) return;
    last->range.file = file;
    last->range.offset = offset;
}

void oq_rope_add_tensor(oq_rope *rope, const oq_tensor *tensor) {
    const uint64_t size = oq_packed_bytes(tensor->dtype, (size_t)oq_tensor_count(tensor));
    oq_piece *piece = size ? add_piece(rope, TENSOR, size) : NULL;
    if (piece) piece->tensor = tensor;
}

typedef struct rope_buffer {
    ProtobufCBuffer base;
    oq_rope *rope;
} rope_buffer;

static void append(ProtobufCBuffer *buffer, size_t count, const uint8_t *bytes) {
    oq_rope_add(((rope_buffer *)buffer)->rope, bytes, count);
}

void oq_rope_add_message(oq_rope *rope, const ProtobufCMessage *message) {
    rope_buffer buffer = {.base = {.append = append}, .rope = rope};
    protobuf_c_message_pack_to_buffer(message, &buffer.base);
}

size_t oq_rope_open(oq_rope *rope, uint32_t number) {
    oq_piece *piece =
        add_piece(rope, FRAME, rope->size); // size: where the content begins, until it is closed
    if (!piece) return 0;
    rope->size = piece->size;
    piece->frame.tag_size =
        (uint8_t)oq_varint_write(piece->frame.head, (uint64_t)number << 3 | OQ_WIRE_BYTES);
    return rope->count - 1;
}

void oq_rope_close(oq_rope *rope, size_t mark) {
    if (rope->status != ONNXQ_OK) return;
    oq_piece *piece = &rope->pieces[mark];
    const uint64_t content = rope->size - piece->size;
    uint8_t *head = piece->frame.head;
    piece->size = piece->frame.tag_size + oq_varint_write(head + piece->frame.tag_size, content);
    rope->size += piece->size;
}

static oq_status write_range(const oq_rope *rope, const oq_piece *piece, const oq_sink *sink, oq_error *err) {
    const size_t block = piece->size < COPY_BYTES ? (size_t)piece->size : COPY_BYTES;
    uint8_t *buffer = oq_mem_alloc(rope->mem, block, err);
    if (!buffer) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    for (uint64_t done = 0; done < piece->size && status == ONNXQ_OK; done += block) {
        const size_t count = piece->size - done < block ? (size_t)(piece->size - done) : block;
        status = oq_file_read(piece->range.file, piece->range.offset + done, buffer, count, err);
        if (status == ONNXQ_OK) status = sink->put(sink->self, buffer, count, err);
    }
    oq_mem_free(rope->mem, buffer);
    return status;
}

static oq_status write_tensor(const oq_tensor *tensor, const oq_sink *sink, oq_error *err) {
    if (!oq_dtype_is_sub_byte(tensor->dtype))
        return sink->put(sink->self, tensor->data, oq_tensor_bytes(tensor), err);
    const size_t count = (size_t)oq_tensor_count(tensor);
    for (size_t at = 0; at < count; at += PACK_ELEMENTS) {
        uint8_t packed[PACK_ELEMENTS];
        const size_t some = count - at < PACK_ELEMENTS ? count - at : PACK_ELEMENTS;
        oq_pack(tensor->dtype, (const uint8_t *)tensor->data + at, packed, some);
        OQ_TRY(sink->put(sink->self, packed, oq_packed_bytes(tensor->dtype, some), err));
    }
    return ONNXQ_OK;
}

static oq_status write_piece(const oq_rope *rope, const oq_piece *piece, const oq_sink *sink, oq_error *err) {
    switch (piece->kind) {
    case OWN: return sink->put(sink->self, rope->bytes.data + piece->at, (size_t)piece->size, err);
    case LATE: return sink->put(sink->self, piece->late, (size_t)piece->size, err);
    case FRAME: return sink->put(sink->self, piece->frame.head, (size_t)piece->size, err);
    case RANGE: return write_range(rope, piece, sink, err);
    default: return write_tensor(piece->tensor, sink, err);
    }
}

oq_status oq_rope_write(const oq_rope *rope, const oq_sink *sink, oq_error *err) {
    OQ_TRY(oq_rope_check(rope, err));
    for (size_t i = 0; i < rope->count; i++) OQ_TRY(write_piece(rope, &rope->pieces[i], sink, err));
    return ONNXQ_OK;
}

static oq_status put_text(void *self, const void *bytes, size_t count, oq_error *err) {
    oq_text *text = self;
    oq_text_add_bytes(text, bytes, count);
    return text->failed ? oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for the message") : ONNXQ_OK;
}

oq_status oq_rope_format(const oq_rope *rope, oq_text *into, oq_error *err) {
    const oq_sink sink = {into, put_text};
    return oq_rope_write(rope, &sink, err);
}
