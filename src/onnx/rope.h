// A message in the making as a list of pieces: own bytes, ranges of files, tensors in memory. Its size is
// known before a byte is written, and payloads are streamed when it is.
#ifndef OQ_ONNX_ROPE_H
#define OQ_ONNX_ROPE_H

#include "onnx/wire.h"

typedef struct oq_piece oq_piece;

typedef struct oq_rope {
    oq_mem *mem;
    oq_text bytes; // of all pieces that hold own bytes, in order
    oq_piece *pieces;
    size_t count, capacity;
    uint64_t size;
    oq_status status; // first failure; later calls do nothing
} oq_rope;

void oq_rope_init(oq_rope *rope, oq_mem *mem);
void oq_rope_release(oq_rope *rope);
// oq_rope's status as an error.
oq_status oq_rope_check(const oq_rope *rope, oq_error *err);

void oq_rope_add(oq_rope *rope, const void *bytes, size_t count);
void oq_rope_add_varint(oq_rope *rope, uint64_t value);
// Bytes that are read when the rope is written: they live longer than it and may change until then.
void oq_rope_add_late(oq_rope *rope, const void *bytes, size_t count);
void oq_rope_add_range(oq_rope *rope, oq_file *file, uint64_t offset, uint64_t size);
void oq_rope_add_tensor(oq_rope *rope, const oq_tensor *tensor); // as in files; the tensor outlives the rope
void oq_rope_add_message(oq_rope *rope, const ProtobufCMessage *message); // its fields, without a frame
void oq_rope_add_tag(oq_rope *rope, uint32_t number, int wire);
// A field of bytes whose length follows from what is added until it is closed.
size_t oq_rope_open(oq_rope *rope, uint32_t number);
void oq_rope_close(oq_rope *rope, size_t mark);

// Where a rope is written to.
typedef struct oq_sink {
    void *self;
    oq_status (*put)(void *self, const void *bytes, size_t count, oq_error *err);
} oq_sink;

oq_status oq_rope_write(const oq_rope *rope, const oq_sink *sink, oq_error *err);
oq_status oq_rope_format(const oq_rope *rope, oq_text *into, oq_error *err); // appended to a text

#endif
