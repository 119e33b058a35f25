// The .npy format (versions 1 to 3), little and big endian, C and Fortran order, from memory and to memory.
#ifndef OQ_TENSOR_NPY_H
#define OQ_TENSOR_NPY_H

#include "base/text.h"
#include "tensor/tensor.h"

typedef struct oq_npy_header {
    oq_dtype dtype;
    oq_shape shape;
    bool fortran, swapped; // column-major; other byte order than this machine's
    size_t data_offset;    // where the elements begin
} oq_npy_header;

// Reads the header at the start of `bytes`; `name` is used in errors ("calib.npz: input.npy"). Object arrays
// are refused.
oq_status oq_npy_parse_header(const uint8_t *bytes, size_t count, const char *name, oq_npy_header *out,
                              oq_error *err);
// A whole .npy image to a tensor that owns its elements.
oq_status oq_npy_parse(oq_mem *mem, const uint8_t *bytes, size_t count, const char *name, oq_tensor *out,
                       oq_error *err);
// The elements behind a header (as many bytes as its shape and dtype say) to row-major order of this machine;
// in place when it is row-major already.
void oq_npy_decode(const oq_npy_header *header, const uint8_t *bytes, uint8_t *into);
// The last step of that for `count` elements in row-major order, in place: byte order, truth values.
void oq_npy_finish(const oq_npy_header *header, uint8_t *elements, size_t count);
// Appends the header alone, for elements that follow in portions.
oq_status oq_npy_format_header(oq_dtype dtype, const oq_shape *shape, oq_text *into, oq_error *err);
// Appends the .npy image (version 1.0; bfloat16, float8 and sub-byte types as raw bytes of their carrier, V2
// / u1).
oq_status oq_npy_format(const oq_tensor *tensor, oq_text *into, oq_error *err);

#endif
