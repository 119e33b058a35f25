// One matrix product in a working type.
#include "ops/lib/product.h"

#include <string.h>

// Row by row, b read along its rows when they hold n values, else as dot products.
#define PLAIN_PRODUCT(NAME, T)                                                                               \
    static void NAME(const oq_product *p) {                                                                  \
        for (size_t i = 0; i < p->m; i++) {                                                                  \
            const T *a = (const T *)p->a + i * p->a_row;                                                     \
            T *c = (T *)p->c + i * p->ldc;                                                                   \
            for (size_t j = 0; j < p->n; j++) c[j] = 0;                                                      \
            for (size_t k = 0; k < p->k && !p->b_transposed; k++) {                                          \
                const T *b = (const T *)p->b + k * p->ldb;                                                   \
                for (size_t j = 0; j < p->n; j++) c[j] += a[k * p->a_column] * b[j];                         \
            }                                                                                                \
            for (size_t j = 0; j < p->n && p->b_transposed; j++) {                                           \
                const T *b = (const T *)p->b + j * p->ldb;                                                   \
                for (size_t k = 0; k < p->k; k++) c[j] += a[k * p->a_column] * b[k];                         \
            }                                                                                                \
        }                                                                                                    \
    }

PLAIN_PRODUCT(product_f64, double)
PLAIN_PRODUCT(product_u64, uint64_t) // two's complement: signed products have the same low 64 bits

static void product_f32(const oq_product *p) {
    const void *packed = p->packed;
    if (!packed) {
        oq_gemm_f32_pack(p->b, p->ldb, p->b_transposed, p->k, p->n, p->space);
        packed = p->space;
    }
    const oq_gemm_f32 gemm = {.m = p->m,
                              .n = p->n,
                              .k = p->k,
                              .a = p->a,
                              .a_row = p->a_row,
                              .a_column = p->a_column,
                              .b = packed,
                              .c = p->c,
                              .ldc = p->ldc,
                              .pool = p->pool};
    oq_gemm_f32_run(&gemm);
}

void oq_product_run(const oq_product *p) {
    if (!p->m || !p->n) return;
    if (!p->k) {
        const size_t size = oq_work_bytes(p->work);
        for (size_t i = 0; i < p->m; i++) memset((char *)p->c + i * p->ldc * size, 0, p->n * size);
        return;
    }
    if (p->work == OQ_WORK_F32) {
        product_f32(p);
    } else if (p->work == OQ_WORK_F64) {
        product_f64(p);
    } else {
        product_u64(p);
    }
}

oq_status oq_product_space(oq_run_context *context, oq_work_type work, size_t k, size_t n, void **out,
                           oq_error *err) {
    *out = NULL;
    if (work != OQ_WORK_F32) return ONNXQ_OK;
    return oq_scratch_array(context, 1, oq_gemm_f32_packed_bytes(k, n), out, err);
}

oq_status oq_packed_new(oq_run_context *context, size_t count, size_t bytes, oq_packed **out, oq_error *err) {
    *out = NULL;
    size_t stride = 0;
    size_t total = 0;
    const bool fits = oq_add_size(bytes, OQ_ALIGNMENT - 1, &stride) &&
                      oq_mul_size(stride / OQ_ALIGNMENT * OQ_ALIGNMENT, count, &total);
    if (!fits) return oq_fail(err, ONNXQ_NO_MEMORY, "constant weights are too large to be packed");
    oq_packed *packed = oq_mem_calloc(context->mem, 1, sizeof(*packed), err);
    if (!packed) return ONNXQ_NO_MEMORY;
    packed->count = count;
    packed->stride = stride / OQ_ALIGNMENT * OQ_ALIGNMENT;
    packed->panels = oq_mem_alloc(context->mem, total, err);
    if (!packed->panels) {
        oq_mem_free(context->mem, packed);
        return ONNXQ_NO_MEMORY;
    }
    *out = packed;
    return ONNXQ_OK;
}

void oq_packed_free(oq_mem *mem, void *state) {
    oq_packed *packed = state;
    if (!packed) return;
    oq_mem_free(mem, packed->panels);
    oq_mem_free(mem, packed);
}
