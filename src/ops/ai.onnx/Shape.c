// Shape: the sizes of the axes [start, end) of a tensor.
#include "ops/lib/lists.h"
#include "ops/lib/schema.h"

// Attributes start and end (opset 15) brought into 0..rank.
static void axes_of(const oq_node *node, int rank, int *from, int *to) {
    int64_t start = oq_node_int(node, "start", 0), end = oq_node_int(node, "end", rank);
    if (start < 0) start += rank;
    if (end < 0) end += rank;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < 0 ? 0 : end > rank ? rank : end;
    *from = (int)start;
    *to = end < start ? (int)start : (int)end;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    oq_tensor *out;
    int from, to;
    OQ_TRY(oq_need(context, 0, &data, err));
    axes_of(context->node, data->shape.rank, &from, &to);
    const oq_shape shape = OQ_SHAPE(to - from);
    OQ_TRY(oq_out(context, 0, ONNXQ_INT64, &shape, &out, err));
    int64_t *sizes = out->data;
    for (int d = from; d < to; ++d) sizes[d - from] = data->shape.dim[d];
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    oq_dim length = OQ_DIM_ANONYMOUS;
    int from, to;
    if (in && in->rank >= 0) {
        axes_of(context->node, in->rank, &from, &to);
        length = oq_dim_of(to - from);
        OQ_TRY(oq_infer_set_elements(context, 0, in->dim + from, (size_t)(to - from), err));
    }
    oq_infer_set(context, 0, ONNXQ_INT64, 1, &length);
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET, ...)                                                                             \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T -> shape:T1",                                                   \
        .types = OQ_TYPES({"T", SET}, {"T1", OQ_T(INT64)}), .infer = infer, .run = run, __VA_ARGS__          \
    }
#define PART .attrs = OQ_ATTRS({"end", OQ_ATTR_INT, false}, {"start", OQ_ATTR_INT, false})

static const oq_op_version versions[] = {
    VERSION(1, OQ_T_ALL1, .attrs = NULL), VERSION(13, OQ_T_ALL13, .attrs = NULL),
    VERSION(15, OQ_T_ALL13, PART),        VERSION(19, OQ_T_ALL19, PART),
    VERSION(21, OQ_T_ALL21, PART),        VERSION(23, OQ_T_ALL23, PART),
    VERSION(24, OQ_T_ALL24, PART),        VERSION(25, OQ_T_ALL25, PART),
};

OQ_ONNX_OP(Shape, versions);
