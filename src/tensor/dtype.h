// Data types as a table of traits, and access to elements of any of them through four working types.
#ifndef OQ_TENSOR_DTYPE_H
#define OQ_TENSOR_DTYPE_H

#include "base/mem.h"

typedef onnxq_dtype oq_dtype;

// The type in which arithmetic on a data type is done without loss: float32 for all floats of at most 32
// bits.
typedef enum oq_work_type { OQ_WORK_NONE, OQ_WORK_F32, OQ_WORK_F64, OQ_WORK_I64, OQ_WORK_U64 } oq_work_type;

typedef struct oq_dtype_traits {
    const char *name;
    uint8_t bits;  // per element in files (packed)
    uint8_t bytes; // per element in memory: sub-byte types take one byte each; 0 for strings
    oq_work_type work;
    bool is_float, is_signed, is_integer; // bool and string are none of them; complex is none
    int64_t min;                          // least value of integer types
    uint64_t max;                         // greatest value of integer types
} oq_dtype_traits;

const oq_dtype_traits *oq_dtype_info(
    oq_dtype dtype); // an entry with bytes 0 and work NONE for unknown numbers
static inline size_t oq_dtype_bytes(oq_dtype dtype) { return oq_dtype_info(dtype)->bytes; }
static inline bool oq_dtype_is_sub_byte(oq_dtype dtype) {
    return oq_dtype_info(dtype)->bits < 8 && oq_dtype_info(dtype)->bits;
}
// The 8-bit type of the same sign for 4- and 2-bit integers, whose elements in memory are its own; others as
// they are.
static inline oq_dtype oq_dtype_byte_wide(oq_dtype dtype) {
    if (!oq_dtype_is_sub_byte(dtype) || !oq_dtype_info(dtype)->is_integer) return dtype;
    return oq_dtype_info(dtype)->is_signed ? ONNXQ_INT8 : ONNXQ_UINT8;
}
// The dtype named `text` ("float32", "int8", ...), or ONNXQ_UNDEFINED.
oq_dtype oq_dtype_parse(const char *text);

// Blocks of elements to and from a working type. `from`/`into` point at elements of `dtype` in memory layout.
// Stores into floats round once to nearest even and saturate where ONNX's Cast saturates by default (float8
// and smaller). Stores of floats into integers, and loads of floats as integers, cut off the fraction; what
// does not fit wraps like C's integers (NaN gives 0, beyond 64 bits saturates first). bool loads as 0 or 1,
// stores x != 0. Types without a working type (strings, complex) load as 0 and store nothing.
void oq_load_f32(oq_dtype dtype, const void *from, float *into, size_t count);
void oq_store_f32(oq_dtype dtype, const float *from, void *into, size_t count);
void oq_load_f64(oq_dtype dtype, const void *from, double *into, size_t count);
void oq_store_f64(oq_dtype dtype, const double *from, void *into, size_t count);
void oq_load_i64(oq_dtype dtype, const void *from, int64_t *into, size_t count);
void oq_store_i64(oq_dtype dtype, const int64_t *from, void *into, size_t count);
void oq_load_u64(oq_dtype dtype, const void *from, uint64_t *into, size_t count);
void oq_store_u64(oq_dtype dtype, const uint64_t *from, void *into, size_t count);

// `value` in float32 with its last bit set when that is not exact (rounding to odd): rounding this to a type
// of at most 22 bits of precision gives what one rounding of `value` gives.
float oq_float_to_odd(double value);

// Single conversions; float8 kinds by dtype, `saturate` as in Cast.
float oq_half_to_float(uint16_t half);
uint16_t oq_half_from_float(float value);   // round to nearest even
uint16_t oq_half_from_double(double value); // one rounding
float oq_bfloat16_to_float(uint16_t value);
uint16_t oq_bfloat16_from_float(float value);                                  // round to nearest even
uint16_t oq_bfloat16_from_double(double value);                                // one rounding
float oq_small_float_to_float(oq_dtype dtype, uint8_t value);                  // float8*, float6*, float4e2m1
uint8_t oq_small_float_from_float(oq_dtype dtype, float value, bool saturate); // float8e8m0 rounds up
// float8e8m0 has no sign: the magnitude counts. Without `saturate`, what is out of range (0 too) becomes NaN.
typedef enum oq_e8m0_rounding { OQ_E8M0_UP, OQ_E8M0_DOWN, OQ_E8M0_NEAREST } oq_e8m0_rounding;
uint8_t oq_e8m0_from_float(float value, bool saturate, oq_e8m0_rounding rounding);

// Files pack sub-byte types low bits first; memory holds one element per byte (sign-extended for signed
// types).
size_t oq_packed_bytes(oq_dtype dtype, size_t count); // SIZE_MAX when it overflows
void oq_unpack(oq_dtype dtype, const uint8_t *packed, uint8_t *elements, size_t count);
void oq_pack(oq_dtype dtype, const uint8_t *elements, uint8_t *packed, size_t count);

#endif
