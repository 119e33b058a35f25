// Bernoulli: 1 with the probability that each element gives, else 0.
#include "ops/lib/convert.h"
#include "ops/lib/random_fill.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *p;
    oq_tensor *y;
    OQ_TRY(oq_need(context, 0, &p, err));
    const int64_t dtype = oq_node_int(context->node, "dtype", p->dtype);
    if (dtype <= 0 || dtype >= ONNXQ_DTYPE_COUNT || oq_work_of((oq_dtype)dtype) == OQ_WORK_NONE)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Bernoulli: attribute dtype names no type of numbers");
    oq_random *random = oq_scratch(context, sizeof *random, err);
    if (!random) return ONNXQ_NO_MEMORY;
    oq_random_seed(random, oq_random_seed_of(context->node));
    OQ_TRY(oq_out(context, 0, (oq_dtype)dtype, &p->shape, &y, err));
    const size_t count = (size_t)oq_tensor_count(p);
    for (size_t i = 0; i < count; i++) {
        const uint8_t one = oq_random_uniform(random) < oq_tensor_get_f64(p, (int64_t)i);
        oq_convert_block(ONNXQ_BOOL, &one, (oq_dtype)dtype,
                         oq_at_mutable(y->data, i, oq_dtype_bytes((oq_dtype)dtype)), 1,
                         &(oq_convert_options){.saturate = true});
    }
    return ONNXQ_OK;
}

static const oq_type_set types_15[] = {{"T1", OQ_T_FLOATS3}, {"T2", OQ_T_NUMERIC4 | OQ_T(BOOL)}, {0}};
static const oq_type_set types_22[] = {{"T1", OQ_T_FLOATS4}, {"T2", OQ_T_NUMERIC4 | OQ_T(BOOL)}, {0}};
static const oq_attr_spec attrs_15[] = {{"dtype", OQ_ATTR_INT, false}, {"seed", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 15,
     .signature = "input:T1 -> output:T2",
     .types = types_15,
     .attrs = attrs_15,
     .infer = oq_infer_random_like,
     .run = run},
    {.since = 22,
     .signature = "input:T1 -> output:T2",
     .types = types_22,
     .attrs = attrs_15,
     .infer = oq_infer_random_like,
     .run = run},
};

OQ_OP(ai_onnx, Bernoulli, "", versions, OQ_OP_RANDOM);
