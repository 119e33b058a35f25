// Matrix products: float32, and exact 8-bit to int32. Same bits on every instruction set: each output element
// is one chain of fused multiply-adds over k = 0..K-1 from +0, whatever the blocking.
#ifndef OQ_KERNELS_GEMM_H
#define OQ_KERNELS_GEMM_H

#include "base/mem.h"
#include "base/pool.h"

// --- float32: C[M,N] = A[M,K] * B[K,N] (+ bias) ---
// B is packed once into panels (weights: at prepare; activations: per call into scratch).
size_t oq_gemm_f32_packed_bytes(size_t k, size_t n); // SIZE_MAX on overflow
// b: row-major [K,N] with row stride ldb, or [N,K] with row stride ldb when `transposed`.
void oq_gemm_f32_pack(const float *b, size_t ldb, bool transposed, size_t k, size_t n, void *packed);

typedef enum oq_epilogue { OQ_EPILOGUE_NONE, OQ_EPILOGUE_CLAMP } oq_epilogue;

typedef struct oq_gemm_f32 {
    size_t m, n, k;
    const float *a; // element (i, k) at a[i * a_row + k * a_column]
    size_t a_row, a_column;
    const void *b; // packed
    float *c;      // element (i, j) at c[i * ldc + j]
    size_t ldc;
    const float *bias; // [N] added after the sum, or NULL
    float low, high;   // with OQ_EPILOGUE_CLAMP
    oq_epilogue epilogue;
    size_t skip;   // columns before it need not be computed: whole tiles of them are left alone
    bool add;      // the chains go on from what stands in c
    oq_pool *pool; // or NULL
} oq_gemm_f32;

void oq_gemm_f32_run(const oq_gemm_f32 *g);

// --- 8 bit: C[M,N] int32 = sum over k of (A[i,k] - a_zero) * (B[k,j] - b_zero[j]), exact ---
// Either side signed or unsigned; B is packed once with its column sums.
size_t oq_gemm_8_packed_bytes(size_t k, size_t n);
void oq_gemm_8_pack(const void *b, bool b_signed, size_t ldb, bool transposed, size_t k, size_t n,
                    void *packed);

// What becomes of finished sums, fused: q = saturate(round_half_even((float)(acc + bias) * multiplier) +
// zero_point), one byte each, laid out as the sums are. acc is then workspace whose content is undefined.
typedef struct oq_requantize {
    const int32_t *bias;     // per channel (column of a product, filter of a convolution), or NULL
    const float *multiplier; // one, or per channel
    bool per_channel;
    bool is_signed;
    int32_t zero_point;
    void *out; // [M, N] with row stride `ldc`, or [M, out...]
} oq_requantize;

typedef struct oq_gemm_8 {
    size_t m, n, k;
    const void *a; // row-major, row stride lda elements, one byte each
    size_t lda;
    bool a_signed, b_signed;
    const int32_t *a_zero; // one value, or [M] when a_zero_per_row
    bool a_zero_per_row;
    const void *b;         // packed
    const int32_t *b_zero; // one value, or [N] when b_zero_per_column
    bool b_zero_per_column;
    int32_t *c; // row stride ldc
    size_t ldc;
    const oq_requantize *requantize; // per column; or NULL: the result stays in c
    oq_pool *pool;                   // or NULL
} oq_gemm_8;

void oq_gemm_8_run(const oq_gemm_8 *g);

#endif
