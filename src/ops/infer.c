// Type and shape inference over a graph: in topological order, with constants and shape arithmetic followed.
#include "ops/infer_scope.h"

#include "ops/lib/infer.h"
#include "ops/lib/signature.h"

#include <string.h>

#define MAX_DEPTH       100     // bodies and local functions inside each other
#define MAX_NODE_VISITS 4000000 // functions that call functions twice each would double at every level
#define MAX_CONST_BYTES 16384   // constants that are looked into

// One call of an operator's infer function; `context` comes first, so that its address is that of the frame.
typedef struct frame {
    oq_infer_context context;
    scope *scope;
} frame;

static oq_status infer_scope(scope *s, oq_error *err);

// --- what is known of values ---

static known *known_of(scope *s, oq_value_id id) {
    return id >= 0 && (size_t)id < s->known_count ? &s->known[id] : NULL;
}

// Elements of a small integer constant of rank 0 or 1 as dimensions.
static oq_status read_elements(scope *s, known *k, oq_error *err) {
    const oq_tensor *tensor = &k->constant;
    const bool index = tensor->dtype == ONNXQ_INT64 || tensor->dtype == ONNXQ_INT32;
    const int64_t count = index ? oq_tensor_count(tensor) : 0;
    if (!index || tensor->shape.rank > 1 || count > OQ_INFER_MAX_DIMS) return ONNXQ_OK;
    oq_dim *elements = oq_arena_alloc(&s->graph->model->arena, ((size_t)count + 1) * sizeof *elements, err);
    if (!elements) return ONNXQ_NO_MEMORY;
    for (int64_t i = 0; i < count; ++i) elements[i] = oq_dim_number(oq_tensor_get_i64(tensor, i));
    k->elements = elements;
    k->element_count = (size_t)count;
    return ONNXQ_OK;
}

// What is known of a value's data: a constant is loaded when it is first asked for, a capture asks outside.
static oq_status look_into(scope *s, oq_value_id id, known **out, oq_error *err) {
    known *k = known_of(s, id);
    *out = k;
    if (!k || k->tried) return ONNXQ_OK;
    k->tried = true;
    const oq_gvalue *value = oq_graph_value(s->graph, id);
    if (value->is_capture && s->parent && s->owner) {
        for (size_t c = 0; c < s->graph->capture_count && c < s->owner->capture_count; ++c) {
            if (s->graph->captures[c] != id) continue;
            known *outer;
            OQ_TRY(look_into(s->parent, s->owner->captures[c], &outer, err));
            if (!outer) return ONNXQ_OK;
            k->elements = outer->elements;
            k->element_count = outer->element_count;
            if (outer->constant.dtype) k->constant = oq_tensor_retain(&outer->constant);
        }
        return ONNXQ_OK;
    }
    const oq_constant *constant = oq_graph_constant(s->graph, id);
    // Below IR 4 every initializer is an input as well; its data is what the model was made for.
    if (!constant && s->graph->model->ir_version < 4) constant = value->initializer;
    if (!constant || oq_constant_bytes(constant) > MAX_CONST_BYTES) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(s->graph->model->mem, constant, &k->constant, err));
    return read_elements(s, k, err);
}

// --- one node ---

// Reference attributes of a function body replaced by the caller's values.
static oq_status bind_attrs(scope *s, const oq_node *node, oq_node *bound, oq_error *err) {
    *bound = *node;
    if (!s->function) return ONNXQ_OK;
    bound->attrs = oq_arena_calloc(&s->driver->arena, node->attr_count + 1, sizeof *bound->attrs, err);
    if (!bound->attrs) return ONNXQ_NO_MEMORY;
    bound->attr_count = 0;
    for (size_t a = 0; a < node->attr_count; ++a) {
        oq_attr attr = node->attrs[a];
        if (attr.reference && *attr.reference) {
            const oq_attr *given = oq_node_attr(s->caller, attr.reference);
            for (size_t d = 0; !given && d < s->function->default_count; ++d)
                if (!strcmp(s->function->defaults[d].name, attr.reference)) given = &s->function->defaults[d];
            if (!given) continue; // neither given nor defaulted: as if it were not there
            const char *name = attr.name;
            attr = *given;
            attr.name = name;
        }
        bound->attrs[bound->attr_count++] = attr;
    }
    return ONNXQ_OK;
}

static oq_status infer_body(oq_infer_context *context, oq_graph *body, const oq_type *inputs, size_t count,
                            oq_error *err) {
    frame *f = (frame *)context;
    scope *outer = f->scope;
    scope inner;
    OQ_TRY(scope_open(&inner, outer->driver, body, outer, err));
    inner.owner = context->node;
    inner.function = outer->function;
    inner.caller = outer->caller;
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < count && i < body->input_count && status == ONNXQ_OK; ++i) {
        oq_gvalue *value = oq_graph_value(body, body->inputs[i]);
        status = oq_type_merge(&value->type, &inputs[i], value->name, err);
    }
    for (size_t c = 0; c < body->capture_count && c < context->node->capture_count && status == ONNXQ_OK;
         ++c) {
        if (body->captures[c] == OQ_NONE) continue; // another body of the node uses it
        oq_gvalue *value = oq_graph_value(body, body->captures[c]);
        const oq_gvalue *from = oq_graph_value(outer->graph, context->node->captures[c]);
        status = oq_type_merge(&value->type, &from->type, value->name, err);
    }
    if (status == ONNXQ_OK) status = infer_scope(&inner, err);
    scope_close(&inner);
    return status;
}

static oq_status fill_inputs(frame *f, oq_error *err) {
    oq_infer_context *context = &f->context;
    scope *s = f->scope;
    const size_t n = context->input_count;
    oq_arena *arena = &s->driver->arena;
    const oq_type **in = oq_arena_calloc(arena, n + 1, sizeof *in, err);
    const oq_tensor **in_const = oq_arena_calloc(arena, n + 1, sizeof *in_const, err);
    const oq_dim **in_dims = oq_arena_calloc(arena, n + 1, sizeof *in_dims, err);
    size_t *in_dims_count = oq_arena_calloc(arena, n + 1, sizeof *in_dims_count, err);
    if (!in || !in_const || !in_dims || !in_dims_count) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < n; ++i) {
        const oq_value_id id = context->node->inputs[i];
        if (id == OQ_NONE) continue;
        known *k;
        OQ_TRY(look_into(s, id, &k, err));
        in[i] = &oq_graph_value(s->graph, id)->type;
        if (!k) continue;
        in_const[i] = k->constant.dtype ? &k->constant : NULL;
        in_dims[i] = k->elements;
        in_dims_count[i] = k->element_count;
    }
    context->in = in;
    context->in_const = in_const;
    context->in_dims = in_dims;
    context->in_dims_count = in_dims_count;
    return ONNXQ_OK;
}

static oq_status fill_outputs(frame *f, oq_error *err) {
    oq_infer_context *context = &f->context;
    oq_arena *arena = &f->scope->driver->arena;
    const size_t n = context->output_count;
    context->out = oq_arena_calloc(arena, n + 1, sizeof *context->out, err);
    context->out_dims = oq_arena_calloc(arena, n + 1, sizeof *context->out_dims, err);
    context->out_dims_count = oq_arena_calloc(arena, n + 1, sizeof *context->out_dims_count, err);
    return context->out && context->out_dims && context->out_dims_count ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

// Element types that follow from the signature alone, where the operator said nothing.
static oq_status fill_from_signature(const oq_op_version *version, oq_infer_context *context, oq_error *err) {
    oq_signature signature;
    OQ_TRY(oq_signature_parse(version, &signature, err));
    for (size_t o = 0; o < context->output_count; ++o) {
        const oq_param *param = oq_params_at(&signature.out, o);
        oq_type *out = &context->out[o];
        if (!param || param->mixed || (out->kind != OQ_TYPE_UNKNOWN && out->kind != OQ_TYPE_TENSOR)) continue;
        oq_dtype dtype = param->dtype;
        for (size_t i = 0; i < context->input_count && !dtype && param->variable >= 0; ++i) {
            const oq_param *in = oq_params_at(&signature.in, i);
            if (in && in->variable == param->variable && !in->mixed) dtype = oq_infer_dtype(context, i);
        }
        const uint64_t allowed = oq_param_allowed(version, param);
        if (!dtype && allowed && !(allowed & (allowed - 1)) && allowed < OQ_T_SEQUENCE)
            dtype = (oq_dtype)__builtin_ctzll(allowed);
        if (!dtype) continue;
        if (out->kind == OQ_TYPE_UNKNOWN) *out = oq_type_tensor(dtype, -1, NULL);
        if (!out->dtype) out->dtype = dtype;
    }
    return ONNXQ_OK;
}

// Sizes that came out of shape arithmetic lose marks that only elements may carry.
static void clean_type(oq_type *type) {
    if (type->kind != OQ_TYPE_TENSOR) return;
    for (int d = 0; d < type->rank; ++d) type->dim[d] = oq_dim_as_size(type->dim[d]);
}

// Runtimes load models that declare another shape than they compute, so what is computed counts and the
// declaration is put right. Element types must agree, and inputs are what their declaration says.
static oq_status correct_declaration(oq_graph *graph, oq_value_id id, const oq_type *inferred,
                                     oq_error *err) {
    oq_gvalue *value = oq_graph_value(graph, id);
    oq_text was;
    oq_text_init(&was, graph->model->mem);
    oq_type_format(&value->type, &was);
    value->misdeclared = oq_arena_strdup(&graph->model->arena, oq_text_get(&was), err);
    oq_text_release(&was);
    if (!value->misdeclared) return ONNXQ_NO_MEMORY;
    value->type = *inferred;
    oq_graph_touch_value(graph, id);
    return ONNXQ_OK;
}

static oq_status store_type(scope *s, oq_value_id id, const oq_type *inferred, oq_error *err) {
    const oq_gvalue *value = oq_graph_value(s->graph, id);
    oq_type merged = value->type;
    const oq_dtype dtype = inferred->dtype;
    const bool tensors = merged.kind == OQ_TYPE_TENSOR && inferred->kind == OQ_TYPE_TENSOR;
    if (value->declared && !s->function && tensors && (!dtype || !merged.dtype || dtype == merged.dtype) &&
        oq_type_merge(&merged, inferred, value->name, NULL) != ONNXQ_OK)
        return correct_declaration(s->graph, id, inferred, err);
    return oq_type_merge(&oq_graph_value(s->graph, id)->type, inferred, value->name, err);
}

static oq_status store_outputs(frame *f, oq_error *err) {
    const oq_infer_context *context = &f->context;
    for (size_t o = 0; o < context->output_count; ++o) {
        const oq_value_id id = context->node->outputs[o];
        if (id == OQ_NONE) continue;
        clean_type(&context->out[o]);
        if (context->out[o].kind != OQ_TYPE_UNKNOWN) OQ_TRY(store_type(f->scope, id, &context->out[o], err));
        known *k = known_of(f->scope, id);
        if (k && context->out_dims[o]) {
            k->elements = context->out_dims[o];
            k->element_count = context->out_dims_count[o];
        }
    }
    return ONNXQ_OK;
}

// --- local functions ---

// Types inside a function body hold for one call only.
static void forget_types(oq_graph *body) {
    for (size_t v = 0; v < body->value_count; ++v)
        if (!body->values[v]->declared) body->values[v]->type = (oq_type){0};
}

static oq_status infer_call(frame *f, const oq_function *function, oq_error *err) {
    scope *outer = f->scope;
    const oq_infer_context *context = &f->context;
    oq_graph *body = function->body;
    scope inner;
    OQ_TRY(scope_open(&inner, outer->driver, body, outer, err));
    inner.function = function;
    inner.caller = context->node;
    inner.parent = NULL; // nothing of the caller is visible inside but its arguments
    forget_types(body);
    for (size_t i = 0; i < body->input_count && i < context->input_count; ++i) {
        oq_gvalue *value = oq_graph_value(body, body->inputs[i]);
        known *k = known_of(&inner, body->inputs[i]);
        if (!context->in[i]) continue;
        value->type = *context->in[i];
        k->tried = true;
        k->elements = context->in_dims[i];
        k->element_count = context->in_dims_count[i];
        if (context->in_const[i]) k->constant = oq_tensor_retain(context->in_const[i]);
    }
    const oq_status status = infer_scope(&inner, err);
    for (size_t o = 0; o < body->output_count && o < context->output_count && status == ONNXQ_OK; ++o) {
        const known *k = known_of(&inner, body->outputs[o]);
        context->out[o] = oq_graph_value(body, body->outputs[o])->type;
        context->out_dims[o] = (oq_dim *)(uintptr_t)k->elements;
        context->out_dims_count[o] = k->element_count;
    }
    forget_types(body);
    scope_close(&inner);
    return status;
}

// --- the walk ---

static oq_status infer_node(scope *s, const oq_node *node, oq_error *err) {
    if (++s->driver->visits > MAX_NODE_VISITS)
        return oq_fail(err, ONNXQ_BAD_MODEL, "local functions expand to more than %d nodes", MAX_NODE_VISITS);
    oq_node bound;
    OQ_TRY(bind_attrs(s, node, &bound, err));
    frame f = {.scope = s};
    f.context = (oq_infer_context){.model = s->graph->model,
                                   .graph = s->graph,
                                   .node = &bound,
                                   .opset = oq_graph_opset(s->graph, node->domain),
                                   .input_count = node->input_count,
                                   .output_count = node->output_count,
                                   .infer_graph = infer_body};
    OQ_TRY(fill_inputs(&f, err));
    OQ_TRY(fill_outputs(&f, err));
    const oq_function *function = oq_function_of_node(s->graph->model, node);
    const oq_op *op = function ? NULL : oq_op_find(node->domain, node->op_type);
    const oq_op_version *version = op ? oq_op_at(op, f.context.opset) : NULL;
    if (function) OQ_TRY(infer_call(&f, function, err));
    if (version && version->infer) OQ_TRY(version->infer(&f.context, err));
    if (version) OQ_TRY(fill_from_signature(version, &f.context, err));
    return store_outputs(&f, err);
}

static oq_status infer_initializers(oq_graph *graph, oq_error *err) {
    for (size_t v = 0; v < graph->value_count; ++v) {
        oq_gvalue *value = graph->values[v];
        if (!value->initializer) continue;
        oq_dim dims[OQ_MAX_RANK];
        const oq_shape *shape = &value->initializer->shape;
        for (int d = 0; d < shape->rank; ++d) dims[d] = oq_dim_of(shape->dim[d]);
        const oq_type type = oq_type_tensor(value->initializer->dtype, shape->rank, dims);
        // A default may be overridden by another size where the input leaves it open.
        if (value->is_input && value->type.kind != OQ_TYPE_UNKNOWN) continue;
        OQ_TRY(oq_type_merge(&value->type, &type, value->name, err));
    }
    return ONNXQ_OK;
}

static oq_status infer_scope(scope *s, oq_error *err) {
    if (s->depth > MAX_DEPTH)
        return oq_fail(err, ONNXQ_BAD_MODEL, "graphs or local functions are nested more than %d deep",
                       MAX_DEPTH);
    OQ_TRY(infer_initializers(s->graph, err));
    oq_node_id *order = NULL;
    size_t count = 0;
    OQ_TRY(oq_graph_order(s->graph, &order, &count, err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < count && status == ONNXQ_OK; ++i) {
        const oq_node *node = oq_graph_node(s->graph, order[i]);
        status = infer_node(s, node, err);
        if (status == ONNXQ_OK) continue;
        char buffer[256];
        const char *label = oq_node_label(node, buffer, sizeof buffer);
        if (!err || !*err->node) oq_error_prefix(err, "node '%s' (%s): ", label, node->op_type);
        oq_error_at_node(err, label, node->op_type);
    }
    oq_mem_free(s->graph->model->mem, order);
    return status;
}

oq_status oq_infer_graph(oq_graph *graph, oq_error *err) {
    infer_driver driver = {0};
    oq_arena_init(&driver.arena, graph->model->mem);
    scope s;
    oq_status status = scope_open(&s, &driver, graph, NULL, err);
    if (status == ONNXQ_OK) {
        status = infer_scope(&s, err);
        scope_close(&s);
    }
    oq_arena_release(&driver.arena);
    return status;
}
