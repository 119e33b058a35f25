// Loop: a body run while a condition holds, at most M times; values carried along, others collected.
#include "ops/lib/body.h"
#include "ops/lib/lists.h"

typedef struct loop {
    oq_run_context *context;
    oq_graph *body;
    size_t carried, collected; // values from one iteration to the next; outputs stacked at the end
    oq_value *inputs;          // [2 + carried]: iteration, condition, carried values
    oq_value *outputs;         // [1 + carried + collected]: condition, carried values, collected ones
    oq_collection *collections;
} loop;

static oq_status open_loop(loop *l, oq_run_context *context, oq_error *err) {
    *l = (loop){.context = context, .carried = context->input_count > 2 ? context->input_count - 2 : 0};
    OQ_TRY(oq_body_of(context->node, "body", &l->body, err));
    if (context->output_count < l->carried || l->body->input_count != 2 + l->carried ||
        l->body->output_count != 1 + context->output_count)
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "Loop with %zu carried values and %zu outputs has a body of %zu inputs and %zu outputs",
            l->carried, context->output_count, l->body->input_count, l->body->output_count);
    l->collected = context->output_count - l->carried;
    OQ_TRY(oq_values_new(context, 2 + l->carried, &l->inputs, err));
    OQ_TRY(oq_values_new(context, 1 + l->carried + l->collected, &l->outputs, err));
    l->collections = oq_mem_calloc(context->mem, l->collected + 1, sizeof *l->collections, err);
    if (!l->collections) return ONNXQ_NO_MEMORY;
    for (size_t k = 0; k < l->carried; ++k)
        if (context->in[2 + k]) l->inputs[2 + k] = oq_value_retain(context->in[2 + k]);
    return ONNXQ_OK;
}

static void close_loop(loop *l) {
    oq_values_free(l->context, l->inputs, 2 + l->carried);
    oq_values_free(l->context, l->outputs, 1 + l->carried + l->collected);
    for (size_t k = 0; l->collections && k < l->collected; ++k)
        oq_collection_free(l->context, &l->collections[k]);
    oq_mem_free(l->context->mem, l->collections);
}

// One number for body input `i`, in the shape that the body declares: scalar, or a list of one.
static oq_status set_scalar(loop *l, size_t i, oq_dtype dtype, int64_t number, oq_error *err) {
    const oq_type *type = &oq_graph_value(l->body, l->body->inputs[i])->type;
    const oq_shape shape = type->kind == OQ_TYPE_TENSOR && type->rank == 1 ? OQ_SHAPE(1) : (oq_shape){0};
    oq_tensor tensor;
    OQ_TRY(oq_tensor_new(l->context->mem, dtype, &shape, &tensor, err));
    oq_store_i64(dtype, &number, tensor.data, 1);
    oq_value_release(&l->inputs[i]);
    l->inputs[i] = oq_value_of_tensor(tensor);
    return ONNXQ_OK;
}

// A carried value that the body declares as an optional goes in as one, also when it came out as its content.
static oq_status wrap_optional(loop *l, size_t i, oq_error *err) {
    oq_value *value = &l->inputs[i];
    if (oq_graph_value(l->body, l->body->inputs[i])->type.kind != OQ_TYPE_OPTIONAL ||
        value->kind == OQ_VALUE_OPTIONAL || value->kind == OQ_VALUE_NONE)
        return ONNXQ_OK;
    oq_list *list = oq_list_new(l->context->mem, 1, err);
    if (!list) return ONNXQ_NO_MEMORY;
    list->items[0] = *value;
    *value = (oq_value){.kind = OQ_VALUE_OPTIONAL, .list = list};
    return ONNXQ_OK;
}

static oq_status iterate(loop *l, int64_t iteration, bool *condition, oq_error *err) {
    OQ_TRY(set_scalar(l, 0, ONNXQ_INT64, iteration, err));
    OQ_TRY(set_scalar(l, 1, ONNXQ_BOOL, *condition, err));
    for (size_t k = 0; k < l->carried; ++k) OQ_TRY(wrap_optional(l, 2 + k, err));
    OQ_TRY(l->context->run_graph(l->context, l->body, l->inputs, 2 + l->carried, l->outputs,
                                 1 + l->carried + l->collected, err));
    OQ_TRY(oq_condition(l->context, &l->outputs[0], condition, err));
    oq_value_release(&l->outputs[0]);
    for (size_t k = 0; k < l->carried; ++k) {
        oq_value_release(&l->inputs[2 + k]);
        l->inputs[2 + k] = l->outputs[1 + k];
        l->outputs[1 + k] = (oq_value){0};
    }
    for (size_t k = 0; k < l->collected; ++k) {
        oq_value *value = &l->outputs[1 + l->carried + k];
        const oq_value taken = *value;
        *value = (oq_value){0};
        OQ_TRY(oq_collect(l->context, &l->collections[k], taken, err));
    }
    return ONNXQ_OK;
}

static oq_status run_loop(loop *l, oq_error *err) {
    oq_run_context *context = l->context;
    int64_t most;
    bool condition = true;
    OQ_TRY(oq_int_input(context, 0, INT64_MAX, &most, err));
    if (context->input_count > 1 && context->in[1])
        OQ_TRY(oq_condition(context, context->in[1], &condition, err));
    for (int64_t i = 0; i < most && condition; ++i) OQ_TRY(iterate(l, i, &condition, err));
    for (size_t k = 0; k < l->carried; ++k) {
        oq_out_take(context, k, l->inputs[2 + k]);
        l->inputs[2 + k] = (oq_value){0};
    }
    for (size_t k = 0; k < l->collected; ++k) {
        const oq_type type = oq_body_output_type(l->body, 1 + l->carried + k);
        OQ_TRY(oq_collection_stack(context, l->carried + k, &l->collections[k], 0, false, &type, err));
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    loop l;
    oq_status status = open_loop(&l, context, err);
    if (status == ONNXQ_OK) status = run_loop(&l, err);
    close_loop(&l);
    return status;
}

// Shapes of carried values may change from one iteration to the next, so only their element types go in.
static oq_status infer(oq_infer_context *context, oq_error *err) {
    oq_graph *body;
    OQ_TRY(oq_body_of(context->node, "body", &body, err));
    const size_t carried = context->input_count > 2 ? context->input_count - 2 : 0;
    oq_type *types = oq_arena_calloc(&context->model->arena, carried + 2, sizeof *types, err);
    if (!types) return ONNXQ_NO_MEMORY;
    types[0] = oq_type_tensor(ONNXQ_INT64, -1, NULL);
    types[1] = oq_type_tensor(ONNXQ_BOOL, -1, NULL);
    for (size_t k = 0; k < carried; ++k) {
        if (!context->in[2 + k]) continue;
        types[2 + k] = *context->in[2 + k];
        OQ_TRY(oq_infer_shapeless(context, &types[2 + k], err));
    }
    OQ_TRY(context->infer_graph(context, body, types, carried + 2, err));
    for (size_t o = 0; o < context->output_count; ++o) {
        oq_type type = oq_body_output_type(body, 1 + o);
        if (o < carried && context->in[2 + o]) {
            // No iteration at all gives the initial value back; an optional may start what goes on as its
            // content.
            if (context->in[2 + o]->kind == type.kind)
                OQ_TRY(oq_infer_union(context, &type, context->in[2 + o], err));
        } else if (o >= carried && type.kind == OQ_TYPE_TENSOR && type.rank >= 0 && type.rank < OQ_MAX_RANK) {
            for (int d = type.rank++; d > 0; --d) type.dim[d] = type.dim[d - 1];
            type.dim[0] = OQ_DIM_ANONYMOUS;
        }
        oq_infer_set_type(context, o, &type);
    }
    return ONNXQ_OK;
}

#define VERSION(SINCE, INITIAL, SET)                                                                         \
    {                                                                                                        \
        .since = SINCE,                                                                                      \
        .signature = "M?:I, cond?:B, v_initial" INITIAL "~:V -> v_final_and_scan_outputs+~:V",               \
        .types = OQ_TYPES({"V", SET}, {"I", OQ_T(INT64)}, {"B", OQ_T(BOOL)}),                                \
        .attrs = OQ_ATTRS({"body", OQ_ATTR_GRAPH, true}), .infer = infer, .run = run                         \
    }

static const oq_op_version versions[] = {
    VERSION(1, "+", OQ_T_ALL1),
    VERSION(11, "*", OQ_T_ALL1),
    VERSION(13, "*", OQ_T_ALL1 | OQ_T_SEQUENCE),
    VERSION(16, "*", OQ_BODY_TYPES(OQ_T_ALL13)),
    VERSION(19, "*", OQ_BODY_TYPES(OQ_T_ALL19)),
    VERSION(21, "*", OQ_BODY_TYPES(OQ_T_ALL21)),
    VERSION(23, "*", OQ_BODY_TYPES(OQ_T_ALL23)),
    VERSION(24, "*", OQ_BODY_TYPES(OQ_T_ALL24)),
    VERSION(25, "*", OQ_BODY_TYPES(OQ_T_ALL25)),
};

OQ_OP(ai_onnx, Loop, "", versions, OQ_OP_BODY);
