// SequenceMap: a body run for every element of a sequence; its outputs make new sequences.
#include "ops/lib/body.h"

static const oq_value *element_of(const oq_value *input, size_t k) {
    return input->kind == OQ_VALUE_SEQUENCE ? &input->list->items[k] : input;
}

static oq_status check(const oq_run_context *context, size_t *steps, oq_error *err) {
    const oq_list *first;
    OQ_TRY(oq_need_sequence(context, 0, &first, err));
    for (size_t i = 0; i < context->input_count; ++i) {
        const oq_value *value = context->in[i];
        if (!value) return oq_fail(err, ONNXQ_BAD_MODEL, "input %zu of SequenceMap is left out", i);
        if (value->kind == OQ_VALUE_SEQUENCE && value->list->count != first->count)
            return oq_fail(err, ONNXQ_BAD_DATA, "SequenceMap of sequences of %zu and %zu elements",
                           first->count, value->list->count);
    }
    *steps = first->count;
    return ONNXQ_OK;
}

static oq_status run_steps(oq_run_context *context, const oq_graph *body, size_t steps, oq_value *inputs,
                           oq_value *results, oq_error *err) {
    const size_t outputs = context->output_count;
    for (size_t k = 0; k < steps; ++k) {
        for (size_t i = 0; i < context->input_count; ++i) inputs[i] = *element_of(context->in[i], k);
        OQ_TRY(context->run_graph(context, body, inputs, context->input_count, results + k * outputs, outputs,
                                  err));
    }
    const oq_value **items = oq_scratch(context, (steps + 1) * sizeof *items, err);
    if (!items) return ONNXQ_NO_MEMORY;
    for (size_t o = 0; o < outputs; ++o) {
        for (size_t k = 0; k < steps; ++k) items[k] = &results[k * outputs + o];
        OQ_TRY(oq_out_sequence(context, o, items, steps, err));
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    size_t steps = 0, count;
    oq_graph *body;
    oq_value *results;
    OQ_TRY(check(context, &steps, err));
    OQ_TRY(oq_body_of(context->node, "body", &body, err));
    if (!oq_mul_size(steps, context->output_count, &count))
        return oq_fail(err, ONNXQ_NO_MEMORY, "sequence too long");
    oq_value *inputs = oq_scratch(context, (context->input_count + 1) * sizeof *inputs, err); // borrowed
    if (!inputs) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_values_new(context, count, &results, err));
    const oq_status status = run_steps(context, body, steps, inputs, results, err);
    oq_values_free(context, results, count);
    return status;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    oq_graph *body;
    OQ_TRY(oq_body_of(context->node, "body", &body, err));
    oq_type *types = oq_arena_calloc(&context->model->arena, context->input_count + 1, sizeof *types, err);
    if (!types) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < context->input_count; ++i) {
        const oq_type *in = context->in[i];
        if (!in) continue;
        if (in->kind == OQ_TYPE_SEQUENCE && in->elem)
            types[i] = *in->elem;
        else if (in->kind == OQ_TYPE_TENSOR)
            types[i] = *in;
    }
    OQ_TRY(context->infer_graph(context, body, types, context->input_count, err));
    for (size_t o = 0; o < context->output_count; ++o) {
        const oq_type elem = oq_body_output_type(body, o);
        OQ_TRY(oq_infer_set_container(context, o, OQ_TYPE_SEQUENCE, &elem, err));
    }
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 17,
     .signature = "input_sequence:S, additional_inputs*~:V -> out_sequence+~:S",
     .types = OQ_TYPES({"S", OQ_T_SEQUENCE}, {"V", OQ_T_ALL1 | OQ_T_SEQUENCE}),
     .attrs = OQ_ATTRS({"body", OQ_ATTR_GRAPH, true}),
     .infer = infer,
     .run = run},
};

OQ_OP(ai_onnx, SequenceMap, "", versions, OQ_OP_BODY);
