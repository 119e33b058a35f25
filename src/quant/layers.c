// Finds the products of a graph, and what stands behind each and goes with it: a bias added, a clip.
#include "quant/plan.h"

#include <float.h>
#include <math.h>
#include <string.h>

int oq_plan_rank(const oq_plan *plan, oq_value_id value) {
    const oq_constant *constant = oq_graph_constant(plan->graph, value);
    if (constant) return constant->shape.rank;
    const oq_type *type = &oq_graph_value(plan->graph, value)->type;
    return type->kind == OQ_TYPE_TENSOR ? type->rank : -1;
}

// Columns of a matrix layer's constant right side, 0 when unknown.
static int64_t layer_columns(const oq_layer *layer) {
    const oq_constant *right = layer->operand[1].constant;
    if (!right || right->shape.rank < 2) return 0;
    return right->shape.dim[right->shape.rank - (layer->operand[1].transposed ? 2 : 1)];
}

// The only consumer of `value` when it may be taken into a layer: of ai.onnx and outside all regions.
static oq_node *follower(const oq_plan *plan, oq_value_id value) {
    oq_node *node = oq_graph_only_consumer(plan->graph, value);
    return node && !node->domain[0] && node->region == OQ_NONE ? node : NULL;
}

// MatMul + Add of a constant vector along the columns: the vector becomes the layer's bias.
static oq_status take_bias(oq_plan *plan, oq_layer *layer, oq_error *err) {
    oq_node *node = follower(plan, layer->product);
    if (layer->shape != OQ_LAYER_MATRIX || layer->addend != OQ_NONE || !node || !oq_node_is(node, "Add"))
        return ONNXQ_OK;
    const oq_value_id other = node->inputs[0] == layer->product ? node->inputs[1] : node->inputs[0];
    const oq_constant *constant = other == OQ_NONE ? NULL : oq_graph_constant(plan->graph, other);
    const int rank = oq_plan_rank(plan, layer->product);
    // The addend must not widen the product: with a rank above the product's it would.
    if (!constant || constant->shape.rank > (rank < 0 ? 1 : rank)) return ONNXQ_OK;
    layer->addend = other;
    OQ_TRY(oq_layer_take_bias(plan->graph, &plan->arena, layer, layer_columns(layer), err));
    if (!layer->vector) {
        layer->addend = OQ_NONE;
        return ONNXQ_OK;
    }
    layer->bias_node = node->id;
    layer->sum = layer->output = node->outputs[0];
    return ONNXQ_OK;
}

// One bound of Clip: an attribute until opset 10, then an input. False when it is computed at run time.
static bool clip_bound(oq_graph *graph, const oq_node *node, size_t input, const char *attr, double *bound) {
    if (oq_node_attr(node, attr)) {
        *bound = (double)oq_node_float(node, attr, 0);
        return true;
    }
    if (input >= node->input_count || node->inputs[input] == OQ_NONE) return true;
    const oq_constant *constant = oq_graph_constant(graph, node->inputs[input]);
    oq_tensor tensor = {0};
    oq_error ignored = {0};
    if (!constant || constant->dtype != ONNXQ_FLOAT || oq_shape_count(&constant->shape) != 1 ||
        oq_constant_load(graph->model->mem, constant, &tensor, &ignored) != ONNXQ_OK)
        return false;
    *bound = oq_tensor_get_f64(&tensor, 0);
    oq_tensor_release(&tensor);
    return !isnan(*bound);
}

bool oq_node_clip_bounds(oq_graph *graph, const oq_node *node, double *low, double *high) {
    *low = -INFINITY, *high = INFINITY;
    if (oq_node_is(node, "Relu")) {
        *low = 0;
        return true;
    }
    return oq_node_is(node, "Clip") && clip_bound(graph, node, 1, "min", low) &&
           clip_bound(graph, node, 2, "max", high);
}

// Relu or Clip behind the sum. Whether the integers' own saturation can stand for it is known once their
// parameters are (ranges.c).
static void take_clip(const oq_plan *plan, oq_layer *layer) {
    const oq_node *node = follower(plan, layer->sum);
    double low, high;
    if (!node || node->inputs[0] != layer->sum || !oq_node_clip_bounds(plan->graph, node, &low, &high))
        return;
    layer->low = low, layer->high = high;
    layer->clip_node = node->id;
    layer->output = node->outputs[0];
}

static oq_status add_layer(oq_plan *plan, const oq_node *node, const oq_layer *layer, oq_error *err) {
    OQ_TRY(oq_mem_reserve(plan->mem, (void **)&plan->layers, plan->layer_count, &plan->layer_capacity,
                          sizeof *plan->layers, err));
    plan->layer_of[node->id] = (int32_t)plan->layer_count;
    plan->layers[plan->layer_count++] = *layer;
    return ONNXQ_OK;
}

// Operands have one type: knowing it of one is enough, as behind an operator that inference does not know.
static const char *float_reason(const oq_plan *plan, const oq_layer *layer) {
    bool known = false;
    for (int i = 0; i < 2; i++) {
        const oq_dtype dtype = oq_value_dtype(plan->graph, layer->operand[i].value);
        if (dtype != ONNXQ_FLOAT && dtype != ONNXQ_UNDEFINED) return "its operands are not float32";
        known |= dtype == ONNXQ_FLOAT;
    }
    return known ? NULL : "the type of its operands is not known";
}

// Quantizing two operands as they are computed saves no memory, and costs runtimes more than the integer
// product saves: see docs/quantization.md. Who names the node wants it all the same.
static const char *guard_reason(const oq_plan *plan, const oq_node *node, const oq_layer *layer) {
    const oq_quant_options *o = &plan->options;
    if (!o->guards || layer->operand[0].constant || layer->operand[1].constant) return NULL;
    if (o->include_count || oq_options_override(o, node->id)) return NULL;
    return "a product of two activations: quantizing it saves neither time nor memory (see --no-guards)";
}

static oq_status consider_compute(oq_plan *plan, const oq_node *node, const oq_rule *rule, oq_error *err) {
    oq_node_plan *fate = &plan->nodes[node->id];
    oq_layer layer = {0};
    if (node->region != OQ_NONE) fate->reason = "part of a function that is kept whole";
    if (fate->reason || !oq_options_choose(&plan->options, node, &fate->reason)) return ONNXQ_OK;
    OQ_TRY(rule->describe(plan->graph, node, &plan->arena, &layer, &fate->reason, err));
    if (!fate->reason) fate->reason = float_reason(plan, &layer);
    if (!fate->reason) fate->reason = guard_reason(plan, node, &layer);
    if (fate->reason) return ONNXQ_OK;
    oq_options_widths(&plan->options, node->id, &layer.weight_bits, &layer.activation_bits);
    OQ_TRY(take_bias(plan, &layer, err));
    take_clip(plan, &layer);
    return add_layer(plan, node, &layer, err);
}

bool oq_rule_carries(const oq_model *model, const oq_node *node, oq_dtype dtype) {
    const oq_op *op = NULL;
    const oq_op_version *version = oq_op_of_node(model, node, &op);
    if (!version) return false;
    // Type sets are per variable: finds "X:T" of the first input and looks T up.
    const char *colon = version->signature ? strchr(version->signature, ':') : NULL;
    if (!colon || !version->types) return false;
    const size_t length = strcspn(colon + 1, ", -");
    for (const oq_type_set *set = version->types; set->variable; set++)
        if (strlen(set->variable) == length && strncmp(set->variable, colon + 1, length) == 0)
            return (set->allowed >> dtype & 1) != 0;
    return false;
}

static void consider_passthrough(oq_plan *plan, const oq_node *node, const oq_rule *rule) {
    // Only integers of at most 8 bits are moved (flow.c).
    const oq_dtype carrier = plan->options.activation_signed ? ONNXQ_INT8 : ONNXQ_UINT8;
    if (node->region == OQ_NONE && oq_rule_carries(plan->graph->model, node, carrier) &&
        !oq_options_exclude(&plan->options, node) && (!rule->moves || rule->moves(plan->graph, node)))
        plan->rules[node->id] = rule;
    // Inputs that cannot share parameters are put on those of the output.
    if (plan->rules[node->id] && rule->all_inputs) oq_plan_consider_elementwise(plan, node, rule);
}

oq_status oq_plan_find_layers(oq_plan *plan, oq_error *err) {
    for (size_t i = 0; i < plan->order_count; i++) {
        const oq_node *node = oq_graph_node(plan->graph, plan->order[i]);
        const oq_rule *rule = oq_rule_find(node);
        plan->nodes[node->id].macs = oq_op_macs(plan->graph, node);
        if (rule && rule->kind == OQ_RULE_FLOAT && plan->options.mode == OQ_MODE_DYNAMIC)
            plan->nodes[node->id].reason = "the standard has no integer form of it";
        if (!rule || rule->kind == OQ_RULE_FLOAT) continue;
        if (rule->kind == OQ_RULE_PASSTHROUGH) {
            consider_passthrough(plan, node, rule);
        } else if (rule->kind == OQ_RULE_ELEMENTWISE) {
            oq_plan_consider_elementwise(plan, node, rule);
        } else {
            OQ_TRY(consider_compute(plan, node, rule, err));
        }
    }
    return ONNXQ_OK;
}
