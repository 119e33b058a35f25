// Multinomial: classes drawn by their unnormalized log-probabilities.
#include "ops/lib/infer.h"
#include "ops/lib/random.h"

#include <math.h>

// The class in which `u` (in [0, 1) of the whole) falls.
static int64_t pick(const double *weights, size_t classes, double u) {
    double total = 0, sum = 0;
    for (size_t c = 0; c < classes; c++) total += weights[c];
    for (size_t c = 0; c + 1 < classes; c++) {
        sum += weights[c];
        if (u * total < sum) return (int64_t)c;
    }
    return (int64_t)classes - 1;
}

// exp(x - max) of one row.
static void read_weights(const oq_tensor *x, size_t row, size_t classes, double *weights) {
    double greatest = -(double)INFINITY;
    for (size_t c = 0; c < classes; c++) {
        weights[c] = oq_tensor_get_f64(x, (int64_t)(row * classes + c));
        if (weights[c] > greatest) greatest = weights[c];
    }
    for (size_t c = 0; c < classes; c++) weights[c] = exp(weights[c] - greatest);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x;
    oq_tensor *y;
    OQ_TRY(oq_need(context, 0, &x, err));
    const int64_t dtype = oq_node_int(context->node, "dtype", ONNXQ_INT32);
    const int64_t samples = oq_node_int(context->node, "sample_size", 1);
    if (x->shape.rank != 2 || x->shape.dim[1] < 1 || samples < 0 ||
        (dtype != ONNXQ_INT32 && dtype != ONNXQ_INT64))
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "Multinomial needs [batch, classes], a sample_size of at least 0 and int32 or int64");
    const size_t classes = (size_t)x->shape.dim[1];
    double *weights = oq_scratch(context, classes * sizeof *weights, err);
    oq_random *random = oq_scratch(context, sizeof *random, err);
    if (!weights || !random) return ONNXQ_NO_MEMORY;
    oq_random_seed(random, oq_random_seed_of(context->node));
    const oq_shape shape = {.rank = 2, .dim = {x->shape.dim[0], samples}};
    OQ_TRY(oq_out(context, 0, (oq_dtype)dtype, &shape, &y, err));
    for (int64_t row = 0; row < shape.dim[0]; row++) {
        read_weights(x, (size_t)row, classes, weights);
        for (int64_t i = 0; i < samples; i++) {
            const int64_t class = pick(weights, classes, oq_random_uniform(random));
            oq_store_i64(y->dtype, &class,
                         oq_at_mutable(y->data, (size_t)(row * samples + i), oq_dtype_bytes(y->dtype)), 1);
        }
    }
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    oq_dtype dtype = ONNXQ_UNDEFINED;
    OQ_TRY(oq_infer_dtype_attr(context, "dtype", ONNXQ_INT32, &dtype, err));
    const int64_t samples = oq_node_int(context->node, "sample_size", 1);
    const oq_dim dims[2] = {oq_infer_rank(context, 0) == 2 ? oq_infer_dim(context, 0, 0) : OQ_DIM_ANONYMOUS,
                            samples >= 0 ? oq_dim_of(samples) : OQ_DIM_ANONYMOUS};
    oq_infer_set(context, 0, dtype, 2, dims);
    return ONNXQ_OK;
}

static const oq_type_set types_7[] = {{"T1", OQ_T_FLOATS3}, {"T2", OQ_T_INDEX}, {0}};
static const oq_type_set types_22[] = {{"T1", OQ_T_FLOATS4}, {"T2", OQ_T_INDEX}, {0}};
static const oq_attr_spec attrs_7[] = {
    {"dtype", OQ_ATTR_INT, false}, {"seed", OQ_ATTR_FLOAT, false}, {"sample_size", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 7,
     .signature = "input:T1 -> output:T2",
     .types = types_7,
     .attrs = attrs_7,
     .infer = infer,
     .run = run},
    {.since = 22,
     .signature = "input:T1 -> output:T2",
     .types = types_22,
     .attrs = attrs_7,
     .infer = infer,
     .run = run},
};

OQ_OP(ai_onnx, Multinomial, "", versions, OQ_OP_RANDOM);
