// One matrix product in a working type: float32 through the packed kernel, the others by plain loops.
#ifndef OQ_OPS_LIB_PRODUCT_H
#define OQ_OPS_LIB_PRODUCT_H

#include "kernels/gemm.h"
#include "ops/lib/array.h"

// c[i, j] = sum over k of a[i, k] * b[k, j]; every chain runs over k = 0.. in order. Strides in elements.
typedef struct oq_product {
    oq_work_type work;
    size_t m, n, k;
    const void *a; // element (i, k) at a[i * a_row + k * a_column]
    size_t a_row, a_column;
    const void *b; // row-major [k, n], or [n, k] when b_transposed, row stride ldb; may be NULL with `packed`
    size_t ldb;
    bool b_transposed;
    const void *packed; // float32: b packed before, or NULL
    void *space;        // float32 without `packed`: oq_gemm_f32_packed_bytes(k, n) bytes to pack into
    void *c;            // [m, n], row stride ldc
    size_t ldc;
    oq_pool *pool; // or NULL
} oq_product;

void oq_product_run(const oq_product *p);
// Scratch to pack a [k, n] matrix into; *out stays NULL for working types that do not pack.
oq_status oq_product_space(oq_run_context *context, oq_work_type work, size_t k, size_t n, void **out,
                           oq_error *err);

// What saturating the sum of two products in 16 bits adds to it.
static inline int32_t oq_pair_excess(int32_t sum) {
    return sum > INT16_MAX ? INT16_MAX - sum : sum < INT16_MIN ? INT16_MIN - sum : 0;
}

// Constant matrices packed once: the state of MatMul, Gemm and their like.
typedef struct oq_packed {
    size_t count, stride; // matrices, bytes from one to the next
    unsigned char *panels;
} oq_packed;

// Room for `count` matrices of `bytes` each in context->mem; SIZE_MAX bytes are an error.
oq_status oq_packed_new(oq_run_context *context, size_t count, size_t bytes, oq_packed **out, oq_error *err);
void oq_packed_free(oq_mem *mem, void *state); // fits oq_op_version.release
static inline void *oq_packed_at(const oq_packed *packed, size_t i) {
    return packed->panels + i * packed->stride;
}

#endif
