// Weights for kernels that add two products in 16 bits: x86 without VNNI multiplies uint8 by int8 with
// vpmaddubsw, whose sums of neighbours saturate. Two weights of one sign beyond 128 together can do that;
// their channel gets a larger scale.
#include "quant/plan.h"

#include <stdlib.h>

// The constant seen as the kernels read it: K products for each of `outputs` sums.
typedef struct reading {
    size_t k, outputs;
    size_t channels, cells; // convolutions: k counts channels first, then places of the kernel
    // Whether zero channels may come beside an odd number of them (channels.c): then each place of the kernel
    // begins with a new pair, else every other one does.
    bool odd;
} reading;

// False for products that kernels do not add in pairs: depthwise ones.
static bool read_as(const oq_plan *plan, const oq_layer *layer, const oq_weight *w, reading *out) {
    *out = (reading){.k = (size_t)w->rows, .outputs = (size_t)(w->blocks * w->columns)};
    if (layer->shape != OQ_LAYER_CONV) return true;
    const oq_node *node = oq_graph_node(plan->graph, layer->node);
    out->k = (size_t)w->columns;
    out->outputs = (size_t)w->rows;
    out->channels = (size_t)w->shape.dim[1];
    out->cells = out->channels ? out->k / out->channels : 0;
    out->odd = plan->options.whole_blocks && out->channels > 1 && out->channels % 2 && out->cells > 1;
    return out->channels > 1 || oq_node_int(node, "group", 1) == 1;
}

// Where a row holds what the kernels read as the k-th.
static size_t place_in_row(const reading *r, size_t k) {
    return r->channels ? k % r->channels * r->cells + k / r->channels : k;
}

static int32_t weight_at(const oq_weight *w, const reading *r, size_t output, size_t k) {
    const size_t columns = (size_t)w->columns;
    if (r->channels) return oq_weight_at(w, output * columns + place_in_row(r, k));
    return oq_weight_at(w, (output / columns * (size_t)w->rows + k) * columns + output % columns);
}

// Of two weights of one sign, so that their sum with the greatest activations fits into 16 bits.
static int32_t pair_limit(const oq_plan *plan, const oq_layer *layer) {
    return INT16_MAX / plan->tensors[layer->operand[0].value].grid.qmax;
}

// The largest |sum| of two neighbours of one sign that may be added.
static int32_t worst_pair(const oq_weight *w, const reading *r, size_t output) {
    int32_t worst = 0;
    for (size_t k = 0; k + 1 < r->k; k += r->odd ? 1 : 2) {
        const int32_t a = weight_at(w, r, output, k), b = weight_at(w, r, output, k + 1);
        if ((a < 0) == (b < 0) && abs(a + b) > worst) worst = abs(a + b);
    }
    return worst;
}

oq_status oq_plan_fit_pairs(oq_plan *plan, oq_layer *layer, oq_operand *operand, oq_error *err) {
    const oq_weight *w = operand->weight;
    const oq_value_id x = layer->operand[0].value;
    reading r;
    layer->narrowed = 0;
    layer->pairs = false;
    if (plan->options.target != OQ_TARGET_X86_AVX2 || operand == &layer->operand[0] || layer->wide)
        return ONNXQ_OK;
    if (w->carrier != ONNXQ_INT8 || plan->tensors[x].carrier != ONNXQ_UINT8 || !read_as(plan, layer, w, &r))
        return ONNXQ_OK;
    layer->pairs = true;
    const int32_t limit = pair_limit(plan, layer);
    float *scale = oq_mem_calloc(plan->mem, oq_weight_params(w) + 1, sizeof *scale, err);
    if (!scale) return ONNXQ_NO_MEMORY;
    for (size_t c = 0; c < oq_weight_params(w); c++) scale[c] = w->params[c].scale;
    for (size_t output = 0; output < r.outputs; output++) {
        const size_t c = w->per_channel ? output : 0;
        const int32_t worst = worst_pair(w, &r, output);
        if (worst <= limit) continue;
        // |w1 + w2| <= (worst + 1) s, and rounding by the new scale adds at most 1 to their sum.
        const float needed = w->params[c].scale * (float)(worst + 1) / (float)(limit - 1);
        if (needed > scale[c]) scale[c] = needed;
        layer->narrowed++;
    }
    if (layer->narrowed && !w->per_channel) layer->narrowed = r.outputs;
    const oq_status status =
        layer->narrowed ? oq_weight_rescale(plan, w, scale, &operand->weight, err) : ONNXQ_OK;
    oq_mem_free(plan->mem, scale);
    return status;
}

oq_status oq_plan_pair_up(const oq_plan *plan, const oq_layer *layer, oq_weight_rows *rows, oq_error *err) {
    reading r;
    if (!layer->pairs || !read_as(plan, layer, layer->operand[rows->operand].weight, &r)) return ONNXQ_OK;
    rows->partner = oq_mem_calloc(plan->mem, rows->depth + 1, sizeof *rows->partner, err);
    if (!rows->partner) return ONNXQ_NO_MEMORY;
    rows->pair_limit = pair_limit(plan, layer);
    for (size_t k = 0; k < rows->depth; k++) {
        const size_t before = k && (r.odd || k % 2) ? k - 1 : k,
                     behind = k + 1 < rows->depth && (r.odd || k % 2 == 0) ? k + 1 : k;
        size_t *partner = rows->partner[place_in_row(&r, k)];
        partner[0] = place_in_row(&r, before);
        partner[1] = place_in_row(&r, behind);
    }
    return ONNXQ_OK;
}
