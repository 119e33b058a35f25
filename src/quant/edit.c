// Looking at a plan's layers and changing their biases between planning and emission.
#include "quant/edit.h"
#include "quant/plan.h"

#include <math.h>

// --- look ---

size_t oq_plan_layer_count(const oq_plan *plan) { return plan->layer_count; }

const oq_layer *oq_plan_layer(const oq_plan *plan, size_t index) {
    return plan->layers[index].dropped ? NULL : &plan->layers[index];
}

static bool holds(const oq_layer *layer, oq_node_id node) {
    return !layer->dropped && (layer->node == node || layer->bias_node == node || layer->clip_node == node);
}

// A bias or a clip that was taken in is at most two producers away from its product.
int32_t oq_plan_layer_of(const oq_plan *plan, oq_node_id id) {
    for (size_t l = 0; l < plan->layer_count; l++)
        if (holds(&plan->layers[l], id)) return (int32_t)l;
    return -1;
}

bool oq_plan_moves(const oq_plan *plan, oq_node_id node) {
    return plan->moving[node] || plan->computing[node];
}

oq_node_id oq_plan_clip_source(const oq_plan *plan, oq_node_id node) {
    const oq_node_id source = plan->clips[node];
    return source != OQ_NONE && plan->computing[source] ? source : OQ_NONE;
}

bool oq_plan_made_integer(const oq_plan *plan, oq_value_id value) {
    const oq_node_id producer = oq_graph_value(plan->graph, value)->producer;
    const int32_t index = plan->producer_layer[value];
    if (producer != OQ_NONE && plan->moving[producer]) return true;
    if (oq_plan_computed_by(plan, value) != OQ_NONE) return true;
    if (index < 0 || plan->layers[index].dropped) return false;
    return plan->layers[index].integer && plan->layers[index].output == value;
}

// The way of weight.c's `element`, backwards.
static void dequantize(const oq_weight *w, float *out) {
    size_t index = 0;
    for (int64_t b = 0; b < w->blocks; b++)
        for (int64_t r = 0; r < w->rows; r++)
            for (int64_t c = 0; c < w->columns; c++) {
                const size_t output = (size_t)(b * w->step[0] + r * w->step[1] + c * w->step[2]);
                const int64_t at = w->transposed ? c * w->rows + r : (b * w->rows + r) * w->columns + c;
                const oq_qparam param = oq_weight_param_at(w, output, (size_t)(w->step[1] ? c : r));
                const float x = oq_dequantize_one(param, oq_weight_at(w, index++));
                out[at] = w->alpha == 1 ? x : (float)((double)x / w->alpha);
            }
}

oq_status oq_plan_dequantized(const oq_plan *plan, const oq_layer *layer, int operand, oq_tensor *out,
                              oq_error *err) {
    const oq_operand *own = &layer->operand[operand];
    // Nothing comes through a factor of 0, whatever the integers are.
    if (own->weight->alpha == 0) return oq_constant_load(plan->mem, own->constant, out, err);
    OQ_TRY(oq_tensor_new(plan->mem, ONNXQ_FLOAT, &own->constant->shape, out, err));
    dequantize(own->weight, out->data);
    return ONNXQ_OK;
}

// --- change ---

// Whether a product of matrices may get a bias that it did not have: as the int32 one of a Gemm, or in the
// kernel that makes floats of the sums of MatMulInteger. Anywhere else it would be an Add that takes time.
static bool takes_bias(const oq_plan *plan, const oq_layer *layer) {
    const oq_weight *w = layer->operand[1].weight;
    const int rank = oq_plan_rank(plan, layer->operand[0].value);
    if (!w || layer->operand[0].constant || layer->wide || plan->options.mode != OQ_MODE_STATIC ||
        layer->operand[1].constant->shape.rank != 2)
        return false;
    return plan->options.format == OQ_FORMAT_QDQ ? rank == 2 : rank >= 2 && !layer->integer;
}

size_t oq_plan_bias_count(const oq_plan *plan, const oq_layer *layer) {
    const bool created = layer->addend == OQ_NONE || layer->beta == 0;
    if (layer->shape == OQ_LAYER_CONV)
        return layer->operand[1].weight ? layer->operand[1].weight->outputs : 0;
    if (created) return takes_bias(plan, layer) ? layer->operand[1].weight->outputs : 0;
    const bool weighted = layer->operand[0].weight || layer->operand[1].weight;
    return weighted && layer->vector ? layer->bias_count : 0;
}

oq_status oq_plan_begin_edit(oq_plan *plan, oq_layer *layer, oq_error *err) {
    if (layer->before) return ONNXQ_OK;
    layer->before = oq_arena_memdup(&plan->arena, layer, sizeof *layer, err);
    return layer->before ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

bool oq_layer_bias_edited(const oq_layer *layer) {
    return layer->before && layer->vector && layer->bias != layer->before->bias;
}

void oq_plan_bias_shift(const oq_plan *plan, const oq_layer *layer, float *shift) {
    const size_t count = oq_plan_bias_count(plan, layer);
    const bool edited = oq_layer_bias_edited(layer);
    for (size_t c = 0; c < count; c++) {
        const float was = edited && layer->before->vector ? layer->before->bias[c] : 0;
        shift[c] = edited ? layer->bias[c] - was : 0;
    }
}

// The bias gets memory of its own.
static oq_status begin_bias(oq_plan *plan, oq_layer *layer, oq_error *err) {
    const size_t count = oq_plan_bias_count(plan, layer);
    OQ_TRY(oq_plan_begin_edit(plan, layer, err));
    if (oq_layer_bias_edited(layer)) return ONNXQ_OK;
    float *bias = oq_arena_calloc(&plan->arena, count + 1, sizeof *bias, err);
    if (!bias) return ONNXQ_NO_MEMORY;
    for (size_t c = 0; layer->vector && c < count; c++) bias[c] = layer->bias[c];
    if (!layer->vector && layer->shape == OQ_LAYER_CONV)
        layer->integer_bias = !layer->wide && !oq_layer_is_line(layer);
    else if (!layer->vector)
        layer->integer_bias = plan->options.format == OQ_FORMAT_QDQ;
    layer->bias = bias;
    layer->bias_count = count;
    layer->vector = true;
    return ONNXQ_OK;
}

oq_status oq_plan_shift_bias(oq_plan *plan, size_t index, float *shift, oq_error *err) {
    oq_layer *layer = &plan->layers[index];
    const size_t count = oq_plan_bias_count(plan, layer);
    bool any = false;
    for (size_t c = 0; c < count; c++) any |= shift[c] != 0;
    if (!any) return ONNXQ_OK;
    OQ_TRY(begin_bias(plan, layer, err));
    for (size_t c = 0; c < layer->bias_count; c++) {
        const float was = layer->bias[c], is = was + shift[c];
        const bool fits = isfinite(is) && (!layer->integer_bias || oq_plan_bias_fits(plan, layer, c, is));
        if (fits) layer->bias[c] = is;
        shift[c] = layer->bias[c] - was;
    }
    return ONNXQ_OK;
}

void oq_plan_revert(oq_plan *plan) {
    for (size_t l = 0; l < plan->layer_count; l++)
        if (plan->layers[l].before) plan->layers[l] = *plan->layers[l].before;
}
