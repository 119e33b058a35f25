// The table of data types, and packing of elements smaller than a byte.
#include "tensor/dtype.h"

#include <string.h>

#define INTEGER(NAME, BITS, SIGNED, WORK, MIN, MAX)                                                          \
    {                                                                                                        \
        .name = (NAME), .bits = (BITS), .bytes = (BITS) < 8 ? 1 : (BITS) / 8, .work = (WORK),                \
        .is_signed = (SIGNED), .is_integer = true, .min = (MIN), .max = (MAX)                                \
    }
#define FLOATING(NAME, BITS, SIGNED, WORK)                                                                   \
    {                                                                                                        \
        .name = (NAME), .bits = (BITS), .bytes = (BITS) < 8 ? 1 : (BITS) / 8, .work = (WORK),                \
        .is_float = true, .is_signed = (SIGNED)                                                              \
    }

static const oq_dtype_traits traits[ONNXQ_DTYPE_COUNT] = {
    [ONNXQ_UNDEFINED] = {.name = "undefined"},
    [ONNXQ_FLOAT] = FLOATING("float32", 32, true, OQ_WORK_F32),
    [ONNXQ_UINT8] = INTEGER("uint8", 8, false, OQ_WORK_I64, 0, UINT8_MAX),
    [ONNXQ_INT8] = INTEGER("int8", 8, true, OQ_WORK_I64, INT8_MIN, INT8_MAX),
    [ONNXQ_UINT16] = INTEGER("uint16", 16, false, OQ_WORK_I64, 0, UINT16_MAX),
    [ONNXQ_INT16] = INTEGER("int16", 16, true, OQ_WORK_I64, INT16_MIN, INT16_MAX),
    [ONNXQ_INT32] = INTEGER("int32", 32, true, OQ_WORK_I64, INT32_MIN, INT32_MAX),
    [ONNXQ_INT64] = INTEGER("int64", 64, true, OQ_WORK_I64, INT64_MIN, INT64_MAX),
    [ONNXQ_STRING] = {.name = "string"},
    [ONNXQ_BOOL] = {.name = "bool", .bits = 8, .bytes = 1, .work = OQ_WORK_I64, .max = 1},
    [ONNXQ_FLOAT16] = FLOATING("float16", 16, true, OQ_WORK_F32),
    [ONNXQ_DOUBLE] = FLOATING("float64", 64, true, OQ_WORK_F64),
    [ONNXQ_UINT32] = INTEGER("uint32", 32, false, OQ_WORK_I64, 0, UINT32_MAX),
    [ONNXQ_UINT64] = INTEGER("uint64", 64, false, OQ_WORK_U64, 0, UINT64_MAX),
    [ONNXQ_COMPLEX64] = {.name = "complex64", .bits = 64, .bytes = 8, .is_signed = true},
    [ONNXQ_COMPLEX128] = {.name = "complex128", .bits = 128, .bytes = 16, .is_signed = true},
    [ONNXQ_BFLOAT16] = FLOATING("bfloat16", 16, true, OQ_WORK_F32),
    [ONNXQ_FLOAT8E4M3FN] = FLOATING("float8e4m3fn", 8, true, OQ_WORK_F32),
    [ONNXQ_FLOAT8E4M3FNUZ] = FLOATING("float8e4m3fnuz", 8, true, OQ_WORK_F32),
    [ONNXQ_FLOAT8E5M2] = FLOATING("float8e5m2", 8, true, OQ_WORK_F32),
    [ONNXQ_FLOAT8E5M2FNUZ] = FLOATING("float8e5m2fnuz", 8, true, OQ_WORK_F32),
    [ONNXQ_UINT4] = INTEGER("uint4", 4, false, OQ_WORK_I64, 0, 15),
    [ONNXQ_INT4] = INTEGER("int4", 4, true, OQ_WORK_I64, -8, 7),
    [ONNXQ_FLOAT4E2M1] = FLOATING("float4e2m1", 4, true, OQ_WORK_F32),
    [ONNXQ_FLOAT8E8M0] = FLOATING("float8e8m0", 8, false, OQ_WORK_F32),
    [ONNXQ_UINT2] = INTEGER("uint2", 2, false, OQ_WORK_I64, 0, 3),
    [ONNXQ_INT2] = INTEGER("int2", 2, true, OQ_WORK_I64, -2, 1),
    [ONNXQ_FLOAT6E2M3] = FLOATING("float6e2m3", 6, true, OQ_WORK_F32),
    [ONNXQ_FLOAT6E3M2] = FLOATING("float6e3m2", 6, true, OQ_WORK_F32),
};

const oq_dtype_traits *oq_dtype_info(oq_dtype dtype) {
    const unsigned number = (unsigned)dtype;
    return &traits[number < ONNXQ_DTYPE_COUNT ? number : ONNXQ_UNDEFINED];
}

oq_dtype oq_dtype_parse(const char *text) {
    for (int i = 1; i < ONNXQ_DTYPE_COUNT; i++)
        if (strcmp(traits[i].name, text) == 0) return (oq_dtype)i;
    return ONNXQ_UNDEFINED;
}

// 4- and 2-bit elements stand two and four to a byte; 6-bit ones run on as a stream of bits, four in three
// bytes.
size_t oq_packed_bytes(oq_dtype dtype, size_t count) {
    const size_t bits = oq_dtype_info(dtype)->bits;
    if (!bits) return 0;
    // count * bits / 8 rounded up, without the product of all bits: blocks of 8 elements take `bits` bytes.
    size_t bytes = 0;
    if (!oq_mul_size(count / 8, bits, &bytes)) return SIZE_MAX;
    if (!oq_add_size(bytes, (count % 8 * bits + 7) / 8, &bytes)) return SIZE_MAX;
    return bytes;
}

void oq_unpack(oq_dtype dtype, const uint8_t *packed, uint8_t *elements, size_t count) {
    const oq_dtype_traits *info = oq_dtype_info(dtype);
    const unsigned bits = info->bits;
    const unsigned mask = (1U << bits) - 1;
    const unsigned sign = info->is_integer && info->is_signed ? 1U << (bits - 1) : 0;
    const size_t last = oq_packed_bytes(dtype, count);
    for (size_t i = 0; i < count; i++) {
        const size_t bit = i % 8 * bits;
        const size_t byte = i / 8 * bits + bit / 8;
        unsigned two = packed[byte]; // the element may reach into the next byte
        if (byte + 1 < last) two |= (unsigned)packed[byte + 1] << 8;
        const unsigned code = two >> bit % 8 & mask;
        elements[i] = (uint8_t)((code ^ sign) - sign); // extends the sign
    }
}

void oq_pack(oq_dtype dtype, const uint8_t *elements, uint8_t *packed, size_t count) {
    const unsigned bits = oq_dtype_info(dtype)->bits;
    const unsigned mask = (1U << bits) - 1;
    const size_t last = oq_packed_bytes(dtype, count);
    memset(packed, 0, last);
    for (size_t i = 0; i < count; i++) {
        const size_t bit = i % 8 * bits;
        const size_t byte = i / 8 * bits + bit / 8;
        const unsigned two = (elements[i] & mask) << bit % 8;
        packed[byte] = (uint8_t)(packed[byte] | two);
        if (two >> 8) packed[byte + 1] = (uint8_t)(packed[byte + 1] | two >> 8);
    }
}
