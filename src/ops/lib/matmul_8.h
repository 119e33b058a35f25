// 8-bit matrix products for QLinearMatMul, MatMulInteger and their relatives of com.microsoft: any rank,
// parameters per row of a and column of b.
#ifndef OQ_OPS_LIB_MATMUL_8_H
#define OQ_OPS_LIB_MATMUL_8_H

#include "ops/lib/factor.h"
#include "ops/lib/matmul.h"
#include "ops/lib/qparam.h"

typedef struct oq_matmul_8 {
    const oq_tensor *a, *b;
    oq_matmul plan;
    oq_qparams a_params; // one; per row: [m], or [.., m, 1] over all rows of a
    oq_qparams b_params; // one; per column: [n], or [.., 1, n] over all matrices of b
    int32_t *sums;       // the result as int32, or NULL when it is requantized:
    void *out;           // one byte each
    bool out_signed;
    float y_scale;
    int32_t y_zero;
    oq_tensor *to_float;   // or NULL: the sums (then workspace) times the scales, a float dtype,
    const oq_tensor *bias; // plus one value per column, or NULL
} oq_matmul_8;

// Packs the constant matrices at input `b`: the state of the node.
oq_status oq_matmul_8_prepare(oq_run_context *context, size_t b, void **state, oq_error *err);
// Clears *m, reads the factors and plans the product; parameters and target are the caller's to set.
oq_status oq_matmul_8_begin(oq_run_context *context, size_t a, size_t b, oq_matmul_8 *m, oq_error *err);
// Output 0 = sums * scale of a * scale of b + bias (input `bias`), of element type `dtype`.
oq_status oq_matmul_8_run_float(oq_run_context *context, oq_matmul_8 *m, size_t bias, oq_dtype dtype,
                                oq_error *err);
oq_status oq_matmul_8_run(oq_run_context *context, const oq_matmul_8 *m, oq_error *err);

#endif
