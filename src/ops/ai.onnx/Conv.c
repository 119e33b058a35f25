// Conv: float convolution over any number of spatial axes, with groups.
#include "ops/lib/convolution_float.h"
#include "ops/lib/infer.h"
#include "ops/lib/product.h"

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_convolution_infer(context, 0, 1, oq_infer_dtype(context, 0), err);
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    return oq_convolution_macs(graph, node, 1);
}

#define RUNS                                                                                                 \
    .infer = infer, .run = oq_convolution_float_run, .prepare = oq_convolution_float_prepare,                \
    .release = oq_packed_free, .spent = 1U << 1, .macs = macs
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {OQ_CONVOLUTION_ATTRS, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "X:T, W:T, B?:T -> Y:T", .types = types_1, .attrs = attrs, RUNS},
    {.since = 11, .signature = "X:T, W:T, B?:T -> Y:T", .types = types_1, .attrs = attrs, RUNS},
    {.since = 22, .signature = "X:T, W:T, B?:T -> Y:T", .types = types_22, .attrs = attrs, RUNS},
};
OQ_ONNX_OP(Conv, versions);
