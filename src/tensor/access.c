// Blocks of elements to and from the working types float32, float64, int64 and uint64.
#include "tensor/dtype.h"

#include <math.h>
#include <string.h>

#define BLOCK 256 // elements converted at a time where two steps are needed

// The data types that C has, with their C type; sub-byte integers stand in memory as (sign-extended) bytes.
#define INTEGER_TYPES(X)                                                                                     \
    X(ONNXQ_UINT8, uint8_t)                                                                                  \
    X(ONNXQ_INT8, int8_t)                                                                                    \
    X(ONNXQ_UINT16, uint16_t)                                                                                \
    X(ONNXQ_INT16, int16_t)                                                                                  \
    X(ONNXQ_UINT32, uint32_t)                                                                                \
    X(ONNXQ_INT32, int32_t)                                                                                  \
    X(ONNXQ_UINT64, uint64_t)                                                                                \
    X(ONNXQ_INT64, int64_t)
#define SUB_BYTE_TYPES(X)                                                                                    \
    X(ONNXQ_UINT4, uint8_t)                                                                                  \
    X(ONNXQ_INT4, int8_t)                                                                                    \
    X(ONNXQ_UINT2, uint8_t)                                                                                  \
    X(ONNXQ_INT2, int8_t)
#define FLOAT_TYPES(X)                                                                                       \
    X(ONNXQ_FLOAT, float)                                                                                    \
    X(ONNXQ_DOUBLE, double)

// One case of a switch over dtypes: `from` as elements of TYPE to the array `into`, or the other way round.
#define LOAD_CASE(DTYPE, TYPE, EXPRESSION)                                                                   \
    case DTYPE: {                                                                                            \
        const TYPE *const source = from;                                                                     \
        for (size_t i = 0; i < count; i++) {                                                                 \
            const TYPE x = source[i];                                                                        \
            into[i] = (EXPRESSION);                                                                          \
        }                                                                                                    \
        return;                                                                                              \
    }
#define STORE_CASE(DTYPE, TYPE, EXPRESSION)                                                                  \
    case DTYPE: {                                                                                            \
        TYPE *const target = into;                                                                           \
        for (size_t i = 0; i < count; i++) target[i] = (TYPE)(EXPRESSION);                                   \
        return;                                                                                              \
    }

static const void *elements_from(oq_dtype dtype, const void *from, size_t index) {
    return (const char *)from + index * oq_dtype_bytes(dtype);
}

static void *elements_into(oq_dtype dtype, void *into, size_t index) {
    return (char *)into + index * oq_dtype_bytes(dtype);
}

static size_t block_length(size_t count, size_t done) { return count - done < BLOCK ? count - done : BLOCK; }

// Cuts the fraction off; beyond 64 bits saturates, NaN gives 0 (C leaves both undefined).
static int64_t i64_of(double x) {
    if (isnan(x)) return 0;
    if (x >= 0x1p63) return INT64_MAX;
    if (x < -0x1p63) return INT64_MIN;
    return (int64_t)x;
}

static uint64_t u64_of(double x) {
    if (x >= 0x1p64) return UINT64_MAX;
    if (x >= 0x1p63) return (uint64_t)x;
    return (uint64_t)i64_of(x);
}

void oq_load_f32(oq_dtype dtype, const void *from, float *into, size_t count) {
#define CASE(DTYPE, TYPE) LOAD_CASE(DTYPE, TYPE, (float)x)
    switch (dtype) {
        INTEGER_TYPES(CASE)
        SUB_BYTE_TYPES(CASE)
        CASE(ONNXQ_DOUBLE, double)
        LOAD_CASE(ONNXQ_BOOL, uint8_t, x ? 1.0F : 0.0F)
        LOAD_CASE(ONNXQ_FLOAT16, uint16_t, oq_half_to_float(x))
        LOAD_CASE(ONNXQ_BFLOAT16, uint16_t, oq_bfloat16_to_float(x))
    case ONNXQ_FLOAT:
        if (count) memcpy(into, from, count * sizeof *into);
        return;
    default: break;
    }
#undef CASE
    const uint8_t *const codes = from;
    const bool small = oq_dtype_info(dtype)->is_float;
    for (size_t i = 0; i < count; i++) into[i] = small ? oq_small_float_to_float(dtype, codes[i]) : 0;
}

// Types narrower than float32 go through it, which is exact.
#define LOAD_THROUGH_F32(EXPRESSION)                                                                         \
    for (size_t done = 0; done < count; done += BLOCK) {                                                     \
        float block[BLOCK];                                                                                  \
        const size_t length = block_length(count, done);                                                     \
        oq_load_f32(dtype, elements_from(dtype, from, done), block, length);                                 \
        for (size_t i = 0; i < length; i++) {                                                                \
            const float x = block[i];                                                                        \
            into[done + i] = (EXPRESSION);                                                                   \
        }                                                                                                    \
    }

void oq_load_f64(oq_dtype dtype, const void *from, double *into, size_t count) {
#define CASE(DTYPE, TYPE) LOAD_CASE(DTYPE, TYPE, (double)x)
    switch (dtype) {
        INTEGER_TYPES(CASE)
        SUB_BYTE_TYPES(CASE)
        FLOAT_TYPES(CASE)
    default: break;
    }
#undef CASE
    LOAD_THROUGH_F32((double)x)
}

void oq_load_i64(oq_dtype dtype, const void *from, int64_t *into, size_t count) {
#define CASE(DTYPE, TYPE)       LOAD_CASE(DTYPE, TYPE, (int64_t)x)
#define FLOAT_CASE(DTYPE, TYPE) LOAD_CASE(DTYPE, TYPE, i64_of((double)x))
    switch (dtype) {
        INTEGER_TYPES(CASE)
        SUB_BYTE_TYPES(CASE)
        FLOAT_TYPES(FLOAT_CASE)
    default: break;
    }
#undef FLOAT_CASE
#undef CASE
    LOAD_THROUGH_F32(i64_of((double)x))
}

void oq_load_u64(oq_dtype dtype, const void *from, uint64_t *into, size_t count) {
#define CASE(DTYPE, TYPE)       LOAD_CASE(DTYPE, TYPE, (uint64_t)x)
#define FLOAT_CASE(DTYPE, TYPE) LOAD_CASE(DTYPE, TYPE, u64_of((double)x))
    switch (dtype) {
        INTEGER_TYPES(CASE)
        SUB_BYTE_TYPES(CASE)
        FLOAT_TYPES(FLOAT_CASE)
    default: break;
    }
#undef FLOAT_CASE
#undef CASE
    LOAD_THROUGH_F32(u64_of((double)x))
}

// The low bits of an integer as an element of a sub-byte type.
static uint8_t sub_byte(oq_dtype dtype, uint64_t x) {
    const oq_dtype_traits *info = oq_dtype_info(dtype);
    const unsigned sign = info->is_signed ? 1U << (info->bits - 1) : 0;
    const unsigned code = (unsigned)x & ((1U << info->bits) - 1);
    return (uint8_t)((code ^ sign) - sign);
}

void oq_store_u64(oq_dtype dtype, const uint64_t *from, void *into, size_t count) {
#define CASE(DTYPE, TYPE)     STORE_CASE(DTYPE, TYPE, from[i])
#define SUB_CASE(DTYPE, TYPE) STORE_CASE(DTYPE, uint8_t, sub_byte(dtype, from[i]))
    switch (dtype) {
        INTEGER_TYPES(CASE)
        SUB_BYTE_TYPES(SUB_CASE)
        FLOAT_TYPES(CASE)
        STORE_CASE(ONNXQ_BOOL, uint8_t, from[i] != 0)
    default: break;
    }
#undef SUB_CASE
#undef CASE
    for (size_t done = 0; done < count; done += BLOCK) {
        double block[BLOCK];
        const size_t length = block_length(count, done);
        for (size_t i = 0; i < length; i++) {
            // Beyond 53 bits the low bits become one sticky bit: exact enough for one rounding to fewer bits.
            const uint64_t x = from[done + i];
            const uint64_t sticky = x & 0x7ff ? 0x400 : 0;
            block[i] = (double)(x >> 53 ? (x & ~UINT64_C(0x7ff)) | sticky : x);
        }
        oq_store_f64(dtype, block, elements_into(dtype, into, done), length);
    }
}

void oq_store_i64(oq_dtype dtype, const int64_t *from, void *into, size_t count) {
#define CASE(DTYPE, TYPE)     STORE_CASE(DTYPE, TYPE, from[i])
#define SUB_CASE(DTYPE, TYPE) STORE_CASE(DTYPE, uint8_t, sub_byte(dtype, (uint64_t)from[i]))
    switch (dtype) {
        INTEGER_TYPES(CASE)
        SUB_BYTE_TYPES(SUB_CASE)
        FLOAT_TYPES(CASE)
        STORE_CASE(ONNXQ_BOOL, uint8_t, from[i] != 0)
    default: break;
    }
#undef SUB_CASE
#undef CASE
    for (size_t done = 0; done < count; done += BLOCK) {
        double block[BLOCK];
        const size_t length = block_length(count, done);
        for (size_t i = 0; i < length; i++) {
            const int64_t x = from[done + i];
            const bool wide = x >= INT64_C(1) << 53 || x <= -(INT64_C(1) << 53);
            const int64_t sticky = x & 0x7ff ? 0x400 : 0;
            block[i] = (double)(wide ? (x & ~INT64_C(0x7ff)) | sticky : x);
        }
        oq_store_f64(dtype, block, elements_into(dtype, into, done), length);
    }
}

// Floats to integers and bool, in blocks: through int64, or uint64 for what only that holds.
static void store_as_integers(oq_dtype dtype, const double *from, void *into, size_t count) {
    if (dtype == ONNXQ_BOOL) {
        for (size_t i = 0; i < count; i++) ((uint8_t *)into)[i] = from[i] != 0;
    } else if (dtype == ONNXQ_UINT64) {
        for (size_t i = 0; i < count; i++) ((uint64_t *)into)[i] = u64_of(from[i]);
    } else if (oq_dtype_info(dtype)->is_integer) {
        int64_t block[BLOCK];
        for (size_t i = 0; i < count; i++) block[i] = i64_of(from[i]);
        oq_store_i64(dtype, block, into, count);
    }
}

void oq_store_f64(oq_dtype dtype, const double *from, void *into, size_t count) {
#define CASE(DTYPE, TYPE) STORE_CASE(DTYPE, TYPE, from[i])
    switch (dtype) {
        FLOAT_TYPES(CASE)
        STORE_CASE(ONNXQ_FLOAT16, uint16_t, oq_half_from_double(from[i]))
        STORE_CASE(ONNXQ_BFLOAT16, uint16_t, oq_bfloat16_from_double(from[i]))
    default: break;
    }
#undef CASE
    if (oq_dtype_info(dtype)->is_float) {
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)into)[i] = oq_small_float_from_float(dtype, oq_float_to_odd(from[i]), true);
        return;
    }
    for (size_t done = 0; done < count; done += BLOCK)
        store_as_integers(dtype, from + done, elements_into(dtype, into, done), block_length(count, done));
}

void oq_store_f32(oq_dtype dtype, const float *from, void *into, size_t count) {
    switch (dtype) {
        STORE_CASE(ONNXQ_DOUBLE, double, from[i])
        STORE_CASE(ONNXQ_FLOAT16, uint16_t, oq_half_from_float(from[i]))
        STORE_CASE(ONNXQ_BFLOAT16, uint16_t, oq_bfloat16_from_float(from[i]))
    case ONNXQ_FLOAT:
        if (count) memcpy(into, from, count * sizeof *from);
        return;
    default: break;
    }
    for (size_t done = 0; done < count; done += BLOCK) {
        double block[BLOCK];
        const size_t length = block_length(count, done);
        for (size_t i = 0; i < length; i++) block[i] = (double)from[done + i];
        oq_store_f64(dtype, block, elements_into(dtype, into, done), length);
    }
}
