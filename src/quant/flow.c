// Which values are carried as integers: operands of products, their outputs, and what passthrough nodes make
// of them.
#include "quant/plan.h"

#include <math.h>
#include <string.h>

// Sharing one scale costs the narrower input of a Concat log2 of this ratio in bits where it is used
// elsewhere too.
#define CONCAT_RATIO 2.0

oq_value_id oq_plan_leader(const oq_plan *plan, oq_value_id value) {
    while (plan->leader[value] != value) value = plan->leader[value];
    return value;
}

static void unite(oq_plan *plan, oq_value_id first, oq_value_id second) {
    const oq_value_id into = oq_plan_leader(plan, first), from = oq_plan_leader(plan, second);
    if (plan->bits[from] > plan->bits[into]) plan->bits[into] = plan->bits[from];
    plan->leader[from] = into;
}

oq_grid oq_plan_grid(const oq_plan *plan, oq_value_id value) {
    const oq_quant_options *o = &plan->options;
    const int bits = plan->bits[oq_plan_leader(plan, value)];
    oq_grid grid = oq_grid_make(bits ? bits : o->activation_bits, o->activation_signed,
                                o->activation_signed && o->activation_symmetric);
    // Where the carrier is as wide as the grid, its least integer is not worth a Clip.
    if (grid.narrow && (grid.bits == 8 || grid.bits == 16)) grid.qmin--;
    return grid;
}

static oq_layer *active_layer(const oq_plan *plan, int32_t index) {
    return index >= 0 && !plan->layers[index].dropped ? &plan->layers[index] : NULL;
}

static size_t data_inputs(const oq_node *node, const oq_rule *rule) {
    return rule->all_inputs ? node->input_count : 1;
}

bool oq_plan_integer_use(const oq_plan *plan, oq_use use) {
    const oq_node *node = oq_graph_node(plan->graph, use.node);
    const oq_layer *layer = active_layer(plan, plan->layer_of[use.node]);
    if (plan->computing[use.node]) return oq_plan_elementwise_use(plan, use);
    if (layer) return use.input < 2 && !layer->operand[use.input].constant;
    return plan->moving[use.node] && (size_t)use.input < data_inputs(node, plan->rules[use.node]);
}

// --- where a value comes from ---

// The passthrough node with one data input that made `value`, or NULL.
static const oq_node *mover(const oq_plan *plan, oq_value_id value) {
    const oq_node_id id = oq_graph_value(plan->graph, value)->producer;
    if (id == OQ_NONE || !plan->rules[id] || plan->rules[id]->all_inputs) return NULL;
    return oq_graph_node(plan->graph, id);
}

// Goes back over passthrough nodes; *alone is cleared when something else reads a value on the way.
static oq_value_id root_of(const oq_plan *plan, oq_value_id value, bool *alone) {
    for (;;) {
        if (!oq_graph_only_consumer(plan->graph, value)) *alone = false;
        const oq_node *node = mover(plan, value);
        if (!node) return value;
        value = node->inputs[0];
    }
}

static bool is_source(const oq_plan *plan, const bool *source, const oq_node *node, oq_value_id value) {
    if (value == OQ_NONE || oq_graph_constant(plan->graph, value)) return false;
    if (plan->integer[value] || source[value]) return true;
    return plan->rules[node->id]->early && oq_graph_only_consumer(plan->graph, value) &&
           oq_value_dtype(plan->graph, value) == ONNXQ_FLOAT;
}

// The grid that holds all inputs of a Concat; false when the range of one is not known.
typedef struct common_grid {
    bool known;
    oq_range range;
    oq_grid grid;
    oq_qparam param;
} common_grid;

static oq_status find_common_grid(const oq_plan *plan, const oq_node *node, common_grid *out, oq_error *err) {
    *out = (common_grid){.known = true, .grid = oq_plan_grid(plan, node->outputs[0])};
    for (size_t i = 0; out->known && i < node->input_count; i++) {
        oq_range own;
        OQ_TRY(oq_plan_value_range(plan, node->inputs[i], &own, &out->known, err));
        if (!out->known) return ONNXQ_OK;
        out->range.min = fmin(out->range.min, own.min), out->range.max = fmax(out->range.max, own.max);
    }
    return oq_plan_param_of(plan, &out->grid, &out->range,
                            oq_graph_value(plan->graph, node->outputs[0])->name, &out->param, err);
}

// Whether an input of a Concat loses nothing on the grid of all: neither resolution that another consumer
// needs, nor a clip that its own saturation stands for.
static oq_status loses_nothing(const oq_plan *plan, oq_value_id input, const common_grid *common, bool *alone,
                               bool *out, oq_error *err) {
    oq_range own;
    bool known;
    double low, high;
    *alone = true;
    OQ_TRY(oq_plan_value_range(plan, input, &own, &known, err));
    const double width = fmax(own.max, 0) - fmin(own.min, 0);
    const oq_value_id root = root_of(plan, input, alone);
    *out = (*alone || width * CONCAT_RATIO >= common->range.max - common->range.min) &&
           (!oq_plan_clip_taken(plan, root, &low, &high) ||
            oq_plan_clip_is_exact(&common->grid, common->param, low, high));
    return ONNXQ_OK;
}

// The inputs of a Concat take one set of parameters when none of them loses by it.
static oq_status may_share(const oq_plan *plan, const oq_node *node, bool *out, oq_error *err) {
    common_grid common;
    bool alone;
    OQ_TRY(find_common_grid(plan, node, &common, err));
    *out = common.known;
    for (size_t i = 0; *out && i < node->input_count; i++)
        OQ_TRY(loses_nothing(plan, node->inputs[i], &common, &alone, out, err));
    return ONNXQ_OK;
}

static bool is_wide(const oq_plan *plan, oq_value_id value) {
    return value != OQ_NONE && plan->bits[oq_plan_leader(plan, value)] > 8;
}

// Few operators take 16-bit integers, in runtimes or at all: what is wider than 8 bits stays float between a
// producer and its QuantizeLinear.
static bool is_narrow(const oq_plan *plan, const oq_node *node) {
    const size_t count = data_inputs(node, plan->rules[node->id]);
    for (size_t i = 0; i < count && i < node->input_count; i++)
        if (is_wide(plan, node->inputs[i])) return false;
    for (size_t i = 0; i < node->output_count; i++)
        if (is_wide(plan, node->outputs[i])) return false;
    return true;
}

static void move(oq_plan *plan, const oq_node *node) {
    const size_t count = data_inputs(node, plan->rules[node->id]);
    plan->moving[node->id] = true;
    for (size_t i = 0; i < count; i++) {
        plan->integer[node->inputs[i]] = true;
        unite(plan, node->inputs[0], node->inputs[i]);
    }
    for (size_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] == OQ_NONE) continue;
        plan->integer[node->outputs[i]] = true;
        unite(plan, node->inputs[0], node->outputs[i]);
    }
}

// A Concat puts the integers of its inputs on the grid of its output. What nobody else reads is made on that
// grid at once, unless a guard keeps the ranges apart.
static oq_status join(oq_plan *plan, const oq_node *node, oq_error *err) {
    common_grid common;
    bool alone, fits;
    if (!plan->rules[node->id]) return ONNXQ_OK;
    OQ_TRY(may_share(plan, node, &fits, err));
    if (fits) {
        plan->computing[node->id] = false;
        move(plan, node);
        return ONNXQ_OK;
    }
    OQ_TRY(find_common_grid(plan, node, &common, err));
    for (size_t i = 0; common.known && i < node->input_count; i++) {
        OQ_TRY(loses_nothing(plan, node->inputs[i], &common, &alone, &fits, err));
        if (alone && fits) unite(plan, node->outputs[0], node->inputs[i]);
    }
    return ONNXQ_OK;
}

// --- the three sweeps ---

static void start(oq_plan *plan) {
    memset(plan->integer, 0, plan->value_count * sizeof *plan->integer);
    memset(plan->moving, 0, plan->node_count * sizeof *plan->moving);
    memset(plan->computing, 0, plan->node_count * sizeof *plan->computing);
    for (size_t v = 0; v < plan->value_count; v++)
        plan->leader[v] = (oq_value_id)v, plan->producer_layer[v] = -1, plan->bits[v] = 0;
    for (size_t l = 0; l < plan->layer_count; l++) {
        const oq_layer *layer = &plan->layers[l];
        if (layer->dropped) continue;
        plan->producer_layer[layer->output] = (int32_t)l;
        for (int i = 0; i < 2; i++) {
            const oq_value_id value = layer->operand[i].value;
            if (layer->operand[i].constant) continue;
            plan->integer[value] = true;
            if (layer->activation_bits > plan->bits[value]) plan->bits[value] = layer->activation_bits;
        }
    }
}

// No runtime computes a convolution of integers with a float result at full speed, but for those that are
// matrix products.
static bool is_requantized(const oq_layer *layer) {
    return layer->shape == OQ_LAYER_CONV && !layer->wide && !layer->line;
}

// Which layers 8-bit kernels cannot hold, whose sums have one scale each. Wide values have no group, so that
// this is known from the start.
static void find_wide(oq_plan *plan) {
    for (size_t l = 0; l < plan->layer_count; l++) {
        oq_layer *layer = &plan->layers[l];
        if (layer->dropped) continue;
        const bool convolution = layer->shape == OQ_LAYER_CONV;
        layer->wide = (convolution && is_wide(plan, layer->output)) || oq_plan_weight_group(plan, layer);
        for (int i = 0; i < 2; i++)
            layer->wide |=
                layer->operand[i].constant ? layer->weight_bits > 8 : is_wide(plan, layer->operand[i].value);
        plan->integer[layer->output] |= is_requantized(layer);
    }
}

// Values that are there as integers, or could be without a further QuantizeLinear: outputs of products and
// what passthrough nodes make of them.
static void find_sources(const oq_plan *plan, bool *source) {
    for (size_t i = 0; i < plan->order_count; i++) {
        const oq_node *node = oq_graph_node(plan->graph, plan->order[i]);
        const oq_rule *rule = plan->rules[node->id];
        bool all = rule != NULL && node->input_count > 0;
        for (size_t k = 0; all && k < data_inputs(node, rule); k++)
            all = node->inputs[k] != OQ_NONE && source[node->inputs[k]];
        for (size_t k = 0; k < node->output_count; k++)
            if (node->outputs[k] != OQ_NONE)
                source[node->outputs[k]] = all ||
                                           active_layer(plan, plan->producer_layer[node->outputs[k]]) ||
                                           oq_plan_computed_by(plan, node->outputs[k]) != OQ_NONE;
    }
}

// From the consumers upwards: a passthrough node whose output is wanted as integers moves them when its
// inputs can be had as integers.
static oq_status pull(oq_plan *plan, const bool *source, oq_error *err) {
    for (size_t i = plan->order_count; i-- > 0;) {
        const oq_node *node = oq_graph_node(plan->graph, plan->order[i]);
        const oq_rule *rule = plan->rules[node->id];
        bool wanted = false;
        if (plan->computing[node->id] && plan->elementwise[node->id]->kind == OQ_RULE_PASSTHROUGH) {
            OQ_TRY(join(plan, node, err));
            continue;
        }
        for (size_t k = 0; rule && k < node->output_count; k++)
            wanted |= node->outputs[k] != OQ_NONE && plan->integer[node->outputs[k]];
        for (size_t k = 0; wanted && k < data_inputs(node, rule); k++)
            wanted = k < node->input_count && is_source(plan, source, node, node->inputs[k]);
        wanted = wanted && is_narrow(plan, node);
        if (wanted && rule->all_inputs) OQ_TRY(may_share(plan, node, &wanted, err));
        if (wanted) move(plan, node);
    }
    return ONNXQ_OK;
}

// From requantized outputs downwards: what only moves elements is done before DequantizeLinear, on a quarter
// of the bytes.
static void push(oq_plan *plan, bool *only_integer) {
    for (size_t v = 0; v < plan->value_count; v++) {
        const oq_layer *layer = active_layer(plan, plan->producer_layer[v]);
        only_integer[v] =
            (layer && is_requantized(layer)) || oq_plan_computed_by(plan, (oq_value_id)v) != OQ_NONE;
    }
    for (size_t i = 0; i < plan->order_count; i++) {
        const oq_node *node = oq_graph_node(plan->graph, plan->order[i]);
        const oq_rule *rule = plan->rules[node->id];
        if (!rule || rule->all_inputs || !node->input_count || node->inputs[0] == OQ_NONE) continue;
        if (!only_integer[node->inputs[0]] || !is_narrow(plan, node)) continue;
        if (!plan->moving[node->id]) move(plan, node);
        for (size_t k = 0; k < node->output_count; k++)
            if (node->outputs[k] != OQ_NONE) only_integer[node->outputs[k]] = true;
    }
}

// A matrix product is written as integers when nobody reads it as float: otherwise its float form costs no
// more and loses nothing.
static void choose_forms(oq_plan *plan) {
    for (size_t l = 0; l < plan->layer_count; l++) {
        oq_layer *layer = &plan->layers[l];
        if (layer->dropped) continue;
        const oq_gvalue *value = oq_graph_value(plan->graph, layer->output);
        bool integer = !value->is_output && value->use_count > 0;
        for (size_t u = 0; u < value->use_count; u++) integer &= oq_plan_integer_use(plan, value->uses[u]);
        layer->integer = integer || is_requantized(layer);
        if (!layer->integer && layer->clip_node != OQ_NONE) {
            layer->clip_node = OQ_NONE;
            layer->output = layer->sum;
        }
    }
}

// What only float consumers read is as wide as the layer that makes it asks.
static void settle_bits(oq_plan *plan) {
    for (size_t l = 0; l < plan->layer_count; l++) {
        const oq_layer *layer = &plan->layers[l];
        const oq_value_id leader = oq_plan_leader(plan, layer->output);
        if (!layer->dropped && layer->integer && !plan->bits[leader])
            plan->bits[leader] = layer->activation_bits;
    }
}

oq_status oq_plan_flow(oq_plan *plan, oq_error *err) {
    bool *flags = oq_mem_calloc(plan->mem, plan->value_count + 1, sizeof *flags, err);
    if (!flags) return ONNXQ_NO_MEMORY;
    start(plan);
    find_wide(plan);
    oq_plan_find_tails(plan);
    oq_plan_find_elementwise(plan, flags);
    memset(flags, 0, plan->value_count * sizeof *flags);
    find_sources(plan, flags);
    const oq_status status = pull(plan, flags, err);
    if (status == ONNXQ_OK) {
        push(plan, flags);
        choose_forms(plan);
        settle_bits(plan);
    }
    oq_mem_free(plan->mem, flags);
    return status;
}
