// If: one of two bodies.
#include "ops/lib/body.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    bool condition;
    oq_graph *body;
    oq_value *outputs;
    OQ_TRY(oq_condition(context, context->input_count ? context->in[0] : NULL, &condition, err));
    OQ_TRY(oq_body_of(context->node, condition ? "then_branch" : "else_branch", &body, err));
    const size_t count = context->output_count;
    OQ_TRY(oq_values_new(context, count, &outputs, err));
    const oq_status status = context->run_graph(context, body, NULL, 0, outputs, count, err);
    for (size_t o = 0; o < count && status == ONNXQ_OK; ++o) {
        oq_out_take(context, o, outputs[o]);
        outputs[o] = (oq_value){0};
    }
    oq_values_free(context, outputs, count);
    return status;
}

// A branch may not fit at all when it is the one that will never run (Split of another rank's sizes), so a
// contradiction inside it only means that it says nothing.
static oq_status infer_branch(oq_infer_context *context, oq_graph *branch, bool *useful, oq_error *err) {
    oq_error inside = {0};
    const oq_status status = context->infer_graph(context, branch, NULL, 0, &inside);
    *useful = status == ONNXQ_OK;
    if (status == ONNXQ_OK || status == ONNXQ_BAD_MODEL) return ONNXQ_OK;
    if (err) *err = inside;
    return status;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    oq_graph *branches[2];
    bool useful[2];
    OQ_TRY(oq_body_of(context->node, "then_branch", &branches[0], err));
    OQ_TRY(oq_body_of(context->node, "else_branch", &branches[1], err));
    for (int b = 0; b < 2; ++b) OQ_TRY(infer_branch(context, branches[b], &useful[b], err));
    if (!useful[0] && !useful[1]) return context->infer_graph(context, branches[0], NULL, 0, err);
    for (size_t o = 0; o < context->output_count; ++o) {
        oq_type type = oq_body_output_type(branches[useful[0] ? 0 : 1], o);
        const oq_type other = oq_body_output_type(branches[useful[1] ? 1 : 0], o);
        // A value in one branch and an optional of it in the other are told apart when they run.
        if (type.kind != other.kind && type.kind != OQ_TYPE_UNKNOWN && other.kind != OQ_TYPE_UNKNOWN)
            continue;
        OQ_TRY(oq_infer_union(context, &type, &other, err));
        oq_infer_set_type(context, o, &type);
    }
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "cond:B -> outputs+~:V",                                                \
        .types = OQ_TYPES({"B", OQ_T(BOOL)}, {"V", SET}),                                                    \
        .attrs = OQ_ATTRS({"else_branch", OQ_ATTR_GRAPH, true}, {"then_branch", OQ_ATTR_GRAPH, true}),       \
        .infer = infer, .run = run                                                                           \
    }

static const oq_op_version versions[] = {
    VERSION(1, OQ_T_ALL1),
    VERSION(11, OQ_T_ALL1),
    VERSION(13, OQ_T_ALL1 | OQ_T_SEQUENCE),
    VERSION(16, OQ_BODY_TYPES(OQ_T_ALL13)),
    VERSION(19, OQ_BODY_TYPES(OQ_T_ALL19)),
    VERSION(21, OQ_BODY_TYPES(OQ_T_ALL21)),
    VERSION(23, OQ_BODY_TYPES(OQ_T_ALL23)),
    VERSION(24, OQ_BODY_TYPES(OQ_T_ALL24)),
    VERSION(25, OQ_BODY_TYPES(OQ_T_ALL25)),
};

OQ_OP(ai_onnx, If, "", versions, OQ_OP_BODY);
