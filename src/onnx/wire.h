// The protobuf wire format of a model file: what the scan keeps of it in memory, and walks over its fields.
//
// The scan (scan.c) reads untrusted bytes once, front to back, and refuses whatever is malformed, so that all
// later walks cannot fail. It keeps everything but large payloads (raw_data and its kin), which stay in the
// file: the kept bytes of a model of 2 GB are a few hundred kB. Places are offsets in the file throughout.
#ifndef OQ_ONNX_WIRE_H
#define OQ_ONNX_WIRE_H

#include "graph/graph.h"

#include <protobuf-c/protobuf-c.h>

#define OQ_WIRE_VARINT  0
#define OQ_WIRE_FIXED64 1
#define OQ_WIRE_BYTES   2
#define OQ_WIRE_FIXED32 5

#define OQ_MOST_DEPTH      100                   // messages inside messages
#define OQ_LARGEST_MESSAGE ((uint64_t)INT32_MAX) // of one message: protobuf readers refuse more
#define OQ_CUT_BYTES       1024                  // payloads above this stay in the file

typedef struct oq_cut {
    uint64_t offset, size; // in the file
    size_t at;             // kept bytes before it
} oq_cut;

// The bytes of a file without its large payloads.
typedef struct oq_image {
    oq_mem *mem;
    oq_file *file;
    uint8_t *bytes;
    size_t count, capacity;
    oq_cut *cuts;
    size_t cut_count, cut_capacity;
} oq_image;

// Reads and checks `file` as a message of the given kind. `image` needs a release in any case.
oq_status oq_image_scan(oq_mem *mem, oq_file *file, const ProtobufCMessageDescriptor *message,
                        oq_image *image, oq_error *err);
void oq_image_release(oq_image *image);
// The kept byte for an offset in the file; for the offset of a cut, the byte behind the cut.
const uint8_t *oq_image_at(const oq_image *image, uint64_t offset);
bool oq_image_is_cut(const oq_image *image, uint64_t offset); // a payload left in the file begins there

typedef struct oq_field {
    const ProtobufCFieldDescriptor *known; // NULL: not in our messages
    uint32_t number;
    int wire;
    uint64_t start;        // of the tag
    uint64_t offset, size; // of the value: the payload of OQ_WIRE_BYTES, else the encoded number
    uint64_t value;        // the number of the other wire types
} oq_field;

// A walk over the fields of one scanned message.
typedef struct oq_cursor {
    const oq_image *image;
    const ProtobufCMessageDescriptor *message;
    uint64_t at, end;
} oq_cursor;

oq_cursor oq_cursor_of(const oq_image *image, const ProtobufCMessageDescriptor *message,
                       const oq_field *field); // over the message that `field` holds
bool oq_cursor_next(oq_cursor *cursor, oq_field *field);

// Decodes a varint that begins at `bytes`; 0 when none ends within `count` bytes or 10, else its length.
size_t oq_varint_read(const uint8_t *bytes, size_t count, uint64_t *value);
size_t oq_varint_write(uint8_t into[10], uint64_t value); // its length
// True for the fields of TensorProto that hold elements.
bool oq_field_is_elements(const ProtobufCMessageDescriptor *message, const ProtobufCFieldDescriptor *field);
uint32_t oq_field_number(const ProtobufCMessageDescriptor *message, size_t offset_in_struct);

#endif
