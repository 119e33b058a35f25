// Matrix products of two tensors of any rank by plain numbers (not 8-bit ones).
#include "ops/lib/matmul_float.h"

#include "ops/lib/matmul.h"

oq_status oq_matmul_float_prepare(oq_run_context *context, const oq_tensor *b, void **state, oq_error *err) {
    if (!b || !b->shape.rank || oq_dtype_info(b->dtype)->work != OQ_WORK_F32) return ONNXQ_OK;
    const int rank = b->shape.rank;
    const size_t n = rank == 1 ? 1 : (size_t)b->shape.dim[rank - 1];
    const size_t k = (size_t)b->shape.dim[rank == 1 ? 0 : rank - 2];
    const size_t count = rank > 2 ? (size_t)oq_shape_range_count(&b->shape, 0, rank - 2) : 1;
    oq_packed *packed = NULL;
    OQ_TRY(oq_factor_pack(context, b, count, k, n, false, &packed, err));
    *state = packed;
    return ONNXQ_OK;
}

// y *= alpha, in the working type.
static void scale(const oq_array_target *y, double alpha) {
    const size_t count = (size_t)oq_tensor_count(y->tensor);
    for (size_t i = 0; i < count; i++) {
        if (y->work == OQ_WORK_F32) {
            ((float *)y->data)[i] *= (float)alpha;
        } else {
            ((double *)y->data)[i] *= alpha;
        }
    }
}

oq_status oq_matmul_float_run(oq_run_context *context, const oq_tensor *a, const oq_tensor *b, double alpha,
                              oq_error *err) {
    const oq_packed *packed = context->state;
    const oq_work_type work = oq_dtype_info(a->dtype)->work;
    oq_matmul plan;
    OQ_TRY(oq_matmul_plan(&a->shape, &b->shape, &plan, err));
    oq_array_target y;
    OQ_TRY(oq_array_out(context, 0, a->dtype, &plan.out, work, &y, err));
    oq_product p = {.work = work,
                    .m = plan.m,
                    .n = plan.n,
                    .k = plan.k,
                    .a_row = plan.k,
                    .a_column = 1,
                    .ldb = plan.n,
                    .ldc = plan.n,
                    .pool = context->pool};
    const void *left = NULL;
    const void *right = NULL;
    OQ_TRY(oq_array_in(context, a, work, &left, err));
    if (!packed) {
        OQ_TRY(oq_array_in(context, b, work, &right, err));
        OQ_TRY(oq_product_space(context, work, plan.k, plan.n, &p.space, err));
    }
    const size_t size = oq_work_bytes(work);
    for (size_t i = 0; i < plan.batches; i++) {
        size_t ai = 0;
        size_t bi = 0;
        oq_matmul_batch(&plan, i, &ai, &bi);
        p.a = (const char *)left + ai * plan.m * plan.k * size;
        p.c = (char *)y.data + i * plan.m * plan.n * size;
        if (packed) {
            p.packed = oq_packed_at(packed, bi);
        } else {
            p.b = (const char *)right + bi * plan.k * plan.n * size;
        }
        oq_product_run(&p);
    }
    if (alpha != 1) scale(&y, alpha);
    oq_array_finish(&y);
    return ONNXQ_OK;
}
