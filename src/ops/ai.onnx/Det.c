// Det: the determinants of square matrices, by elimination with row pivots in double.
#include "ops/lib/convert.h"
#include "ops/lib/infer.h"

#include <math.h>

// Determinant of a [n, n], which is used up.
static double determinant(double *a, size_t n) {
    double product = 1;
    for (size_t k = 0; k < n; k++) {
        size_t pivot = k;
        for (size_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[pivot * n + k])) pivot = i;
        if (a[pivot * n + k] == 0) return 0;
        if (pivot != k) {
            for (size_t j = k; j < n; j++) {
                const double swapped = a[k * n + j];
                a[k * n + j] = a[pivot * n + j];
                a[pivot * n + j] = swapped;
            }
            product = -product;
        }
        product *= a[k * n + k];
        for (size_t i = k + 1; i < n; i++) {
            const double factor = a[i * n + k] / a[k * n + k];
            for (size_t j = k + 1; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
        }
    }
    return product;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x;
    oq_tensor *y;
    OQ_TRY(oq_need(context, 0, &x, err));
    oq_shape shape = x->shape;
    if (shape.rank < 2 || shape.dim[shape.rank - 1] != shape.dim[shape.rank - 2])
        return oq_fail(err, ONNXQ_BAD_MODEL, "Det: the last two axes must be a square matrix");
    shape.rank -= 2;
    const size_t n = (size_t)x->shape.dim[shape.rank], size = n * n, bytes = oq_dtype_bytes(x->dtype);
    size_t room;
    if (!oq_mul_size(size, sizeof(double), &room))
        return oq_fail(err, ONNXQ_NO_MEMORY, "Det: the matrix is too large");
    double *matrix = oq_scratch(context, room, err);
    if (!matrix) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_out(context, 0, x->dtype, &shape, &y, err));
    const size_t count = (size_t)oq_shape_count(&shape);
    for (size_t i = 0; i < count; i++) {
        oq_load_f64(x->dtype, oq_at(x->data, i * size, bytes), matrix, size);
        const double result = determinant(matrix, n);
        oq_convert_block(ONNXQ_DOUBLE, &result, x->dtype, oq_at_mutable(y->data, i, bytes), 1,
                         &(oq_convert_options){.saturate = true});
    }
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    (void)err;
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    if (x && x->rank >= 2) oq_infer_set(context, 0, x->dtype, x->rank - 2, x->dim);
    return ONNXQ_OK;
}

static const oq_type_set types_11[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};

static const oq_op_version versions[] = {
    {.since = 11, .signature = "X:T -> Y:T", .types = types_11, .infer = infer, .run = run},
    {.since = 22, .signature = "X:T -> Y:T", .types = types_22, .infer = infer, .run = run},
};

OQ_ONNX_OP(Det, versions);
