// The functions of one instruction set: what isa.c chooses among, and what the public functions call.
#ifndef OQ_KERNELS_TABLE_H
#define OQ_KERNELS_TABLE_H

#include "kernels/conv.h"
#include "kernels/isa.h"
#include "kernels/rows.h"

// A rectangle of a result: what one thread computes of it.
typedef struct oq_span {
    size_t row, row_end, column, column_end;
} oq_span;

// X(type, name, parameters): every function of the table.
#define OQ_KERNEL_LIST(X)                                                                                    \
    X(size_t, gemm_f32_packed_bytes, (size_t k, size_t n))                                                   \
    X(void, gemm_f32_pack, (const float *b, size_t ldb, bool transposed, size_t k, size_t n, void *packed))  \
    X(void, gemm_f32_span, (const oq_gemm_f32 *g, const oq_span *span))                                      \
    X(size_t, gemm_8_packed_bytes, (size_t k, size_t n))                                                     \
    X(void, gemm_8_pack,                                                                                     \
      (const void *b, bool b_signed, size_t ldb, bool transposed, size_t k, size_t n, void *packed))         \
    X(void, gemm_8_span, (const oq_gemm_8 *g, const oq_span *span))                                          \
    X(size_t, conv_packed_bytes, (const oq_conv_shape *s, bool is_f32))                                      \
    X(void, conv_pack, (const oq_conv_shape *s, const void *w, bool is_f32, bool w_signed, void *packed))    \
    X(void, conv_span, (const struct oq_conv_call *call, size_t group, const oq_span *span))                 \
    X(bool, conv_is_depthwise, (const oq_conv_shape *s))                                                     \
    X(void, depthwise_planes, (const struct oq_conv_call *call, size_t from, size_t to))                     \
    X(void, rows_exp, (const float *x, float *y, size_t n))                                                  \
    X(void, rows_log, (const float *x, float *y, size_t n))                                                  \
    X(void, rows_tanh, (const float *x, float *y, size_t n))                                                 \
    X(void, rows_erf, (const float *x, float *y, size_t n))                                                  \
    X(void, rows_sigmoid, (const float *x, float *y, size_t n))                                              \
    X(void, rows_binary_f32,                                                                                 \
      (oq_rows_binary op, const float *a, size_t a_stride, const float *b, size_t b_stride, float *y,        \
       size_t n))                                                                                            \
    X(void, rows_add_multiple, (const float *x, float factor, float *y, size_t n))                           \
    X(void, rows_clamp, (const float *x, float low, float high, float *y, size_t n))                         \
    X(float, rows_sum, (const float *x, size_t n))                                                           \
    X(float, rows_sum_squares, (const float *x, float center, size_t n))                                     \
    X(float, rows_max, (const float *x, size_t n))                                                           \
    X(void, rows_statistics, (const float *x, size_t n, oq_rows_stats *out))                                 \
    X(void, rows_histogram,                                                                                  \
      (const float *x, size_t n, float origin, float inverse_width, uint64_t *counts, size_t bins))          \
    X(void, rows_quantize_8,                                                                                 \
      (const float *x, float scale, int32_t zero_point, bool is_signed, void *q, size_t n))                  \
    X(void, rows_dequantize_8,                                                                               \
      (const void *q, float scale, int32_t zero_point, bool is_signed, float *x, size_t n))                  \
    X(void, rows_requantize_8,                                                                               \
      (const int32_t *acc, const float *multiplier, size_t multiplier_stride, int32_t zero_point,            \
       bool is_signed, void *q, size_t n))

// A convolution of either type, as the functions of the table take it.
typedef struct oq_conv_call {
    const oq_conv_shape *shape;
    const void *packed;
    const void *x;
    void *y; // float or int32
    const float *bias;
    oq_epilogue epilogue;
    float low, high;
    const oq_conv_8 *integers; // NULL: float32
} oq_conv_call;

typedef struct oq_kernel_table {
    oq_isa isa;
    size_t row_step, column_step; // a tile's rows and columns: spans begin at multiples of them
#define OQ_FIELD(type, name, parameters) type(*name) parameters;
    OQ_KERNEL_LIST(OQ_FIELD)
#undef OQ_FIELD
} oq_kernel_table;

// The table in use: chosen once by oq_isa_best, replaced by tests and benchmarks (NULL: back to the best).
const oq_kernel_table *oq_kernels(void);
void oq_kernels_use(const oq_kernel_table *table);
// The table of an instruction set, or NULL when this machine cannot run it.
const oq_kernel_table *oq_kernels_of(oq_isa isa);

// In a file that is compiled per instruction set: its own copies.
#ifdef OQ_ISA
#include "kernels/simd/simd.h"
#define OQ_DECLARE(type, name, parameters) type OQ_FN(name) parameters;
OQ_KERNEL_LIST(OQ_DECLARE)
#undef OQ_DECLARE
extern const oq_kernel_table OQ_FN(kernels);
#endif

#endif
