// 8-bit weights of a recurrent node.
#include "ops/lib/recurrent_8.h"

#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "ops/lib/dynamic.h"

oq_status oq_recurrent_8_open(oq_run_context *context, const oq_tensor *q, size_t scale, size_t zero,
                              size_t rows, oq_recurrent_8 *out, oq_error *err) {
    const int64_t *dim = q->shape.dim;
    void *a = NULL;
    void *sums = NULL;
    *out = (oq_recurrent_8){
        .q = q, .directions = (size_t)dim[0], .depth = (size_t)dim[1], .columns = (size_t)dim[2]};
    OQ_TRY(oq_qparams_read(context, scale, zero, "a recurrent weight", &out->params, err));
    const size_t count = out->params.count;
    if (count != out->directions && count != out->directions * out->columns)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "a recurrent weight has %zu scales for %zu directions of %zu columns", count,
                       out->directions, out->columns);
    OQ_TRY(oq_scratch_array(context, 1, oq_gemm_8_packed_bytes(out->depth, out->columns), &out->packed, err));
    OQ_TRY(oq_scratch_array(context, rows, out->depth, &a, err));
    OQ_TRY(oq_scratch_array(context, rows, out->columns * sizeof(int32_t), &sums, err));
    out->a = a;
    out->sums = sums;
    return ONNXQ_OK;
}

void oq_recurrent_8_pack(const oq_recurrent_8 *f, size_t direction) {
    const uint8_t *q = (const uint8_t *)f->q->data + direction * f->depth * f->columns;
    oq_gemm_8_pack(q, f->q->dtype == ONNXQ_INT8, f->columns, false, f->depth, f->columns, f->packed);
}

void oq_recurrent_8_multiply(const oq_recurrent_8 *f, size_t direction, const float *a, size_t rows,
                             float *out, oq_pool *pool) {
    const bool per_column = f->params.count > f->directions;
    const size_t first = per_column ? direction * f->columns : direction;
    const float *scale = f->params.scale + first;
    float a_scale = 0;
    int32_t a_zero = 0;
    oq_dynamic_parameters(a, rows * f->depth, &a_scale, &a_zero);
    oq_rows_quantize_8(a, a_scale, a_zero, false, f->a, rows * f->depth);
    const oq_gemm_8 gemm = {.m = rows,
                            .n = f->columns,
                            .k = f->depth,
                            .a = f->a,
                            .lda = f->depth,
                            .b_signed = f->q->dtype == ONNXQ_INT8,
                            .a_zero = &a_zero,
                            .b = f->packed,
                            .b_zero = f->params.zero + first,
                            .b_zero_per_column = per_column,
                            .c = f->sums,
                            .ldc = f->columns,
                            .pool = pool};
    if (rows && f->columns) oq_gemm_8_run(&gemm);
    for (size_t i = 0; i < rows * f->columns; i++)
        out[i] = (float)f->sums[i] * (a_scale * scale[per_column ? i % f->columns : 0]);
}
