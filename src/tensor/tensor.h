// Tensors: dtype, shape and a refcounted 64-byte-aligned buffer; and the tagged union of run-time values.
#ifndef OQ_TENSOR_TENSOR_H
#define OQ_TENSOR_TENSOR_H

#include "tensor/dtype.h"
#include "tensor/shape.h"

// Shared bytes. `data` has room for `size` bytes rounded up to OQ_ALIGNMENT, so vector loads may overrun to
// there.
typedef struct oq_buffer {
    atomic_int references;
    oq_mem *mem;
    size_t size;
    // Called instead of freeing when the last reference goes (a pool takes the buffer back); NULL = free.
    void (*reclaim)(struct oq_buffer *buffer, void *owner);
    void *owner;
    unsigned char *data;
} oq_buffer;

oq_buffer *oq_buffer_new(oq_mem *mem, size_t bytes, oq_error *err); // one reference; contents undefined
oq_buffer *oq_buffer_retain(oq_buffer *buffer);
void oq_buffer_release(oq_buffer *buffer); // NULL is allowed

// A dense row-major tensor, or a strings tensor whose buffer holds (count + 1) int64 byte offsets followed by
// the bytes. Plain value: copying the struct does not add a reference; oq_tensor_retain does.
typedef struct oq_tensor {
    oq_dtype dtype; // ONNXQ_UNDEFINED = no tensor
    oq_shape shape;
    oq_buffer *buffer; // NULL when it borrows `data` from somebody who lives longer
    void *data;        // first element
} oq_tensor;

// New tensor with undefined contents (strings: use oq_tensor_new_strings). *out is cleared on failure.
oq_status oq_tensor_new(oq_mem *mem, oq_dtype dtype, const oq_shape *shape, oq_tensor *out, oq_error *err);
oq_status oq_tensor_new_strings(oq_mem *mem, const oq_shape *shape, const char *const *texts,
                                const size_t *lengths, oq_tensor *out, oq_error *err);
oq_tensor oq_tensor_retain(const oq_tensor *tensor); // the same tensor with one more reference
void oq_tensor_release(oq_tensor *tensor); // gives the reference back and clears; NULL or empty is allowed
static inline int64_t oq_tensor_count(const oq_tensor *tensor) { return oq_shape_count(&tensor->shape); }
size_t oq_tensor_bytes(const oq_tensor *tensor); // of the elements in memory
// The string at `index` of a strings tensor; not NUL-terminated.
const char *oq_tensor_string(const oq_tensor *tensor, int64_t index, size_t *length);
// One element as a number; index in row-major order.
double oq_tensor_get_f64(const oq_tensor *tensor, int64_t index);
int64_t oq_tensor_get_i64(const oq_tensor *tensor, int64_t index);
// True when dtype, shape and all bytes agree (NaN equals the same NaN).
bool oq_tensor_equal(const oq_tensor *a, const oq_tensor *b);

// What flows along an edge at run time.
typedef enum oq_value_kind {
    OQ_VALUE_NONE,
    OQ_VALUE_TENSOR,
    OQ_VALUE_SEQUENCE,
    OQ_VALUE_OPTIONAL,
    OQ_VALUE_MAP
} oq_value_kind;

typedef struct oq_list
    oq_list; // refcounted list of values (sequence; optional: 0 or 1; map: keys tensor, values)

typedef struct oq_value {
    oq_value_kind kind;
    oq_tensor tensor; // kind TENSOR
    oq_list *list;    // the other kinds
} oq_value;

struct oq_list {
    atomic_int references;
    oq_mem *mem;
    size_t count;
    oq_value items[]; // owned
};

oq_list *oq_list_new(oq_mem *mem, size_t count, oq_error *err); // items are NONE
oq_value oq_value_of_tensor(oq_tensor tensor);                  // takes the reference over
oq_value oq_value_retain(const oq_value *value);
void oq_value_release(oq_value *value); // clears; NULL or NONE is allowed

#endif
