// Budgets of size: each layer measured at each width, then the widths that fit with the least loss.
#include "tune/widths.h"
#include "onnx/onnx.h"
#include "tune/samples.h"
#include "verify/verify.h"

#include <math.h>
#include <string.h>

enum { MOST_STEPS = 15, MOST_ROUNDS = 4, MOST_JUDGES = 256, UNITS = 1 << 14 };

typedef struct search {
    oq_mem *mem;
    const oq_widths_source *source;
    const oq_widths_options *options;
    oq_widths *out;
    oq_model *clone; // that losses are measured on, of an opset that carries every width
    oq_quantization q;
    int steps[MOST_STEPS]; // widths in falling order, the first one the options'
    size_t step_count;
    double *losses; // [count][step_count], NaN where the layer cannot have that width
    size_t *at;     // [count] step that each layer is at
    double room;    // bits that the goal leaves for weights
} search;

// --- which widths there are ---

// Whether 4- and 2-bit integers are stored as such.
static bool packs(const search *s) {
    return s->source->quant->format == OQ_FORMAT_QDQ || s->source->quant->mode == OQ_MODE_WEIGHT_ONLY;
}

static int stored_bits(const search *s, int bits) {
    const oq_grid grid = oq_grid_make(bits, true, false);
    return oq_dtype_info(oq_grid_carrier(&grid, packs(s)))->bits;
}

// What a width counts for the goal.
static double cost_bits(const search *s, int bits) {
    return s->options->goal == OQ_GOAL_BYTES ? stored_bits(s, bits) : bits;
}

static bool is_step(const search *s, int bits) {
    const bool bytes = !packs(s);
    if (bytes && s->options->goal == OQ_GOAL_BITS) return bits <= 8;
    return bits == 8 || (!bytes && (bits == 4 || bits == 2));
}

static oq_status raise_clone(search *s, int bits, oq_error *err) {
    oq_quant_options quant = *s->source->quant;
    oq_model *clone = NULL;
    quant.weight_bits = bits;
    int64_t opset = oq_quant_minimum_opset(&quant);
    OQ_TRY(oq_model_clone(s->source->prepared, &clone, err));
    oq_status status = ONNXQ_OK;
    if (quant.mode == OQ_MODE_WEIGHT_ONLY) status = oq_storage_opset(clone->graph, &quant, &opset, err);
    if (status == ONNXQ_OK) status = oq_pass_upgrade_opset(clone, opset, err);
    if (status != ONNXQ_OK) {
        oq_model_free(clone);
        return status;
    }
    oq_model_free(s->clone);
    s->clone = clone;
    return ONNXQ_OK;
}

// A width whose opset the model cannot be raised to, and what is below it, is left out.
static oq_status find_steps(search *s, oq_error *err) {
    const int most = s->source->quant->weight_bits;
    OQ_TRY(raise_clone(s, most, err));
    s->steps[s->step_count++] = most;
    for (int bits = most - 1; bits >= 2; bits--) {
        if (!is_step(s, bits)) continue;
        oq_error refusal = {0};
        const oq_status status = raise_clone(s, bits, &refusal);
        if (status == ONNXQ_UNSUPPORTED) break;
        if (status != ONNXQ_OK) {
            if (err) *err = refusal;
            return status;
        }
        s->steps[s->step_count++] = bits;
    }
    return ONNXQ_OK;
}

// --- layers and their losses ---

static const oq_node_override *own_override(const search *s, oq_node_id node) {
    const oq_quant_options *quant = s->source->quant;
    for (size_t i = 0; i < quant->override_count; i++)
        if (quant->overrides[i].node == node) return &quant->overrides[i];
    return NULL;
}

static oq_status find_layers(search *s, oq_error *err) {
    oq_quantized_layer *found;
    size_t count;
    OQ_TRY(oq_quantization_layers(&s->q, &found, &count, err));
    oq_layer_width *layers = s->out->layers = oq_mem_calloc(s->mem, count + 1, sizeof *layers, err);
    for (size_t l = 0; layers && l < count; l++) {
        if (!found[l].elements || found[l].table) continue;
        const oq_node_override *own = own_override(s, found[l].node);
        layers[s->out->count++] = (oq_layer_width){.node = found[l].node,
                                                   .elements = found[l].elements,
                                                   .bits = found[l].weight_bits,
                                                   .fixed = own && own->weight_bits};
    }
    oq_mem_free(s->mem, found);
    if (!layers) return ONNXQ_NO_MEMORY;
    s->losses = oq_mem_calloc(s->mem, s->out->count + 1, s->step_count * sizeof *s->losses, err);
    s->at = oq_mem_calloc(s->mem, s->out->count + 1, sizeof *s->at, err);
    return s->losses && s->at ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static double loss_of(const oq_sensitivity *found, oq_node_id node) {
    for (size_t i = 0; i < found->count; i++)
        if (found->layers[i].node == node) return found->layers[i].loss;
    return (double)NAN;
}

static oq_status measure(search *s, oq_error *err) {
    const oq_sensitivity_options how = {
        .limit = s->options->limit, .progress = s->options->progress, .pool = s->options->pool};
    for (size_t k = 0; k < s->step_count; k++) {
        oq_sensitivity found;
        s->q.quant.weight_bits = s->steps[k];
        OQ_TRY(oq_sensitivity_measure(&s->q, s->source->data, &how, &found, err));
        s->out->samples = found.samples;
        for (size_t l = 0; l < s->out->count; l++)
            s->losses[l * s->step_count + k] = loss_of(&found, s->out->layers[l].node);
        oq_sensitivity_release(&found);
    }
    return ONNXQ_OK;
}

// --- the choice ---

static double step_loss(const search *s, size_t layer, size_t step) {
    return s->losses[layer * s->step_count + step];
}

// What going from the layer's step to another one saves.
static double saved(const search *s, size_t layer, size_t step) {
    const double bits = cost_bits(s, s->steps[s->at[layer]]) - cost_bits(s, s->steps[step]);
    return bits * (double)s->out->layers[layer].elements;
}

// The step up that regains most and still fits; false when none does.
static bool step_up(search *s, double room, double *total) {
    size_t best_layer = 0, best_step = 0;
    double most = 0;
    for (size_t l = 0; l < s->out->count; l++)
        for (size_t k = 0; !s->out->layers[l].fixed && k < s->at[l]; k++) {
            const double gain = step_loss(s, l, s->at[l]) - step_loss(s, l, k);
            if (gain > most && *total - saved(s, l, k) <= room) most = gain, best_layer = l, best_step = k;
        }
    if (most <= 0) return false;
    *total -= saved(s, best_layer, best_step);
    s->at[best_layer] = best_step;
    return true;
}

// Bits of all layers' weights at their steps, in units of the goal.
static double total_bits(const search *s) {
    double sum = 0;
    for (size_t l = 0; l < s->out->count; l++) {
        const oq_layer_width *layer = &s->out->layers[l];
        const int bits = layer->fixed ? layer->bits : s->steps[s->at[l]];
        sum += cost_bits(s, bits) * (double)layer->elements;
    }
    return sum;
}

// --- the multiple-choice knapsack, by dynamic programming over the room in UNITS equal parts ---

// Sizes are rounded to units, so that more units than the room has may fit after all: that is looked at last.
typedef struct knapsack {
    double unit;          // bits
    size_t units;         // looked at: UNITS, and a half for every layer
    double *before, *now; // [units + 1] least loss of the layers so far within so many units, or infinity
    uint8_t *pick;        // [count][units + 1] the step that gives it
} knapsack;

static oq_status knapsack_new(const search *s, double room, knapsack *k, oq_error *err) {
    *k = (knapsack){.unit = room / UNITS, .units = UNITS + (s->out->count + 1) / 2};
    k->before = oq_mem_calloc(s->mem, k->units + 1, sizeof *k->before, err);
    k->now = oq_mem_calloc(s->mem, k->units + 1, sizeof *k->now, err);
    k->pick = oq_mem_calloc(s->mem, s->out->count + 1, k->units + 1, err);
    return k->before && k->now && k->pick ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static void knapsack_release(const search *s, knapsack *k) {
    oq_mem_free(s->mem, k->before);
    oq_mem_free(s->mem, k->now);
    oq_mem_free(s->mem, k->pick);
}

// Units that a layer takes at a step.
static double units_of(const search *s, const knapsack *k, size_t layer, size_t step) {
    const oq_layer_width *w = &s->out->layers[layer];
    const int bits = w->fixed ? w->bits : s->steps[step];
    return round(cost_bits(s, bits) * (double)w->elements / k->unit);
}

static void add_layer(const search *s, knapsack *k, size_t layer) {
    double *swap = k->before;
    k->before = k->now;
    k->now = swap;
    for (size_t u = 0; u <= k->units; u++) k->now[u] = (double)INFINITY;
    for (size_t step = 0; step < (s->out->layers[layer].fixed ? 1 : s->step_count); step++) {
        const double units = units_of(s, k, layer, step), loss = step_loss(s, layer, step);
        for (size_t u = 0; u <= k->units; u++) {
            if (units > (double)u || !(k->before[u - (size_t)units] + loss < k->now[u])) continue;
            k->now[u] = k->before[u - (size_t)units] + loss;
            k->pick[layer * (k->units + 1) + u] = (uint8_t)step;
        }
    }
}

// The narrowest width of every layer.
static void narrow_all(search *s) {
    for (size_t l = 0; l < s->out->count; l++)
        for (size_t step = 0; step < s->step_count; step++)
            if (!s->out->layers[l].fixed && !isnan(step_loss(s, l, step))) s->at[l] = step;
}

// The steps that give the least loss within `u` units; false when there are none.
static bool take(search *s, const knapsack *k, size_t u) {
    if (!(k->now[u] < (double)INFINITY)) return false;
    for (size_t l = s->out->count; l-- > 0; u -= (size_t)units_of(s, k, l, s->at[l]))
        s->at[l] = k->pick[l * (k->units + 1) + u];
    return true;
}

// The best that fits, or the narrowest.
static void take_best(search *s, const knapsack *k, double room) {
    for (size_t u = k->units + 1; u-- > 0;) {
        if (!take(s, k, u)) break;
        if (total_bits(s) <= room) return;
    }
    narrow_all(s);
}

// Widths of the least sum of losses whose bits sum up to at most `room`; the narrowest where there are none.
static oq_status choose(search *s, double room, oq_error *err) {
    knapsack k = {0};
    memset(s->at, 0, s->out->count * sizeof *s->at);
    double total = total_bits(s);
    if (total <= room) return ONNXQ_OK;
    oq_status status = ONNXQ_OK;
    if (room > 0) status = knapsack_new(s, room, &k, err);
    for (size_t l = 0; status == ONNXQ_OK && room > 0 && l < s->out->count; l++) add_layer(s, &k, l);
    if (status == ONNXQ_OK && room <= 0) narrow_all(s);
    if (status == ONNXQ_OK && room > 0) take_best(s, &k, room);
    knapsack_release(s, &k);
    total = total_bits(s);
    while (status == ONNXQ_OK && total <= room && step_up(s, room, &total)) continue;
    return status;
}

static void set_overrides(search *s) {
    const oq_quant_options *quant = s->source->quant;
    oq_widths *out = s->out;
    out->override_count = 0;
    for (size_t i = 0; i < quant->override_count; i++)
        out->overrides[out->override_count++] = quant->overrides[i];
    for (size_t l = 0; l < out->count; l++) {
        oq_layer_width *layer = &out->layers[l];
        layer->full = step_loss(s, l, 0);
        layer->loss = step_loss(s, l, s->at[l]);
        if (layer->fixed) continue;
        layer->bits = s->steps[s->at[l]];
        if (!s->at[l]) continue;
        const oq_node_override *own = own_override(s, layer->node);
        const oq_node_override chosen = {.node = layer->node,
                                         .weight_bits = layer->bits,
                                         .activation_bits = own ? own->activation_bits : 0};
        if (own)
            out->overrides[own - quant->overrides] = chosen;
        else
            out->overrides[out->override_count++] = chosen;
    }
}

static oq_status write_plan(const search *s, const oq_quant_options *quant, const oq_correct_options *tune,
                            oq_model *model, oq_error *err) {
    oq_quantization q = {0};
    oq_plan *plan = NULL;
    oq_correction correction;
    oq_status status;
    OQ_TRY_DONE(oq_quantization_begin(&q, model, s->source->stats, quant, err));
    OQ_TRY_DONE(oq_quantization_plan(&q, s->source->data, tune, &plan, &correction, err));
    OQ_TRY_DONE(oq_quantization_emit(&q, plan, model->graph, NULL, err));
done:
    oq_plan_free(plan);
    oq_quantization_release(&q);
    return status;
}

static oq_status write_storage(const search *s, const oq_quant_options *quant, const oq_correct_options *tune,
                               oq_model *model, oq_error *err) {
    oq_storage *storage = NULL;
    oq_correction correction;
    oq_status status = oq_weights_store(model, s->source->stats, quant, &storage, err);
    if (status == ONNXQ_OK)
        status = oq_correct_storage(storage, model, s->source->data, tune, &correction, err);
    if (status == ONNXQ_OK) status = oq_weights_emit(storage, err);
    oq_storage_free(storage);
    return status;
}

// The model that these widths give.
static oq_status write_model(search *s, const oq_correct_options *tune, oq_model **out, oq_error *err) {
    oq_quant_options quant = *s->source->quant;
    set_overrides(s);
    quant.overrides = s->out->overrides;
    quant.override_count = s->out->override_count;
    OQ_TRY(oq_model_clone(s->source->prepared, out, err));
    return (quant.mode == OQ_MODE_WEIGHT_ONLY ? write_storage : write_plan)(s, &quant, tune, *out, err);
}

// Of the tuned model: layers without bias may get one. Rounding alone changes no size.
static oq_status measure_bytes(search *s, double *bytes, oq_error *err) {
    oq_correct_options tune = {.tuning = s->options->tuning, .pool = s->options->pool};
    if (!tune.tuning.biases) tune.tuning = (oq_tuning){0};
    oq_model *model = NULL;
    uint64_t size = 0;
    oq_status status = write_model(s, &tune, &model, err);
    if (status == ONNXQ_OK) status = oq_onnx_size(model, &size, err);
    *bytes = (double)size;
    oq_model_free(model);
    return status;
}

// SQNR in dB on the samples that are held out, the least of the outputs.
static oq_status judge(search *s, double *sqnr, oq_error *err) {
    const oq_correct_options tune = {.tuning = s->options->tuning, .pool = s->options->pool};
    const bool hold_out = oq_samples_hold_out(s->source->data);
    const oq_verify_options options = {.limit = MOST_JUDGES,
                                       .first = hold_out ? OQ_HOLD_OUT_EVERY - 1 : 0,
                                       .stride = hold_out ? OQ_HOLD_OUT_EVERY : 1,
                                       .pool = s->options->pool};
    oq_model *model = NULL;
    oq_verify_result result = {0};
    oq_status status;
    *sqnr = (double)INFINITY;
    OQ_TRY_DONE(write_model(s, &tune, &model, err));
    OQ_TRY_DONE(oq_verify(s->source->prepared->graph, model->graph, s->source->data, &options, &result, err));
    for (size_t i = 0; i < result.output_count; i++)
        if (!result.outputs[i].varies) *sqnr = fmin(*sqnr, oq_difference_sqnr(&result.outputs[i].all));
done:
    oq_verify_release(&result);
    oq_model_free(model);
    return status;
}

// All layers at the widest step that fits; false when that is none, or the first.
static bool one_width(search *s, double room) {
    for (size_t step = 1; step < s->step_count; step++) {
        for (size_t l = 0; l < s->out->count; l++) {
            s->at[l] = step;
            if (!s->out->layers[l].fixed && isnan(step_loss(s, l, step))) return false;
        }
        if (total_bits(s) <= room) return true;
    }
    return false;
}

// Losses of single layers add up only nearly, and tuning regains more of some than of others: one width for
// all, where it fits, is taken when the tuned model is better on other samples.
static oq_status compare_one_width(search *s, double room, oq_error *err) {
    double chosen, uniform = 0;
    size_t *kept = oq_mem_calloc(s->mem, s->out->count + 1, sizeof *kept, err);
    oq_status status = kept ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t l = 0; kept && l < s->out->count; l++) kept[l] = s->at[l];
    if (status == ONNXQ_OK) status = judge(s, &chosen, err);
    const bool fits = status == ONNXQ_OK && one_width(s, room);
    if (fits) status = judge(s, &uniform, err);
    if (status == ONNXQ_OK && !(fits && uniform > chosen)) memcpy(s->at, kept, s->out->count * sizeof *kept);
    oq_mem_free(s->mem, kept);
    return status;
}

// What a file holds besides weights depends a little on their widths: chosen anew with what was seen, until
// it fits.
static oq_status reach_bytes(search *s, oq_error *err) {
    double besides = 0;
    for (int round = 0; round < MOST_ROUNDS; round++) {
        OQ_TRY(choose(s, 8 * (s->options->most - besides), err));
        OQ_TRY(measure_bytes(s, &s->out->reached, err));
        s->out->met = s->out->reached <= s->options->most;
        s->room = 8 * (s->options->most - besides);
        const double now = s->out->reached - total_bits(s) / 8;
        if (s->out->met && round > 0) return ONNXQ_OK;
        if (round > 0 && now <= besides) return ONNXQ_OK;
        besides = now;
    }
    return ONNXQ_OK;
}

static double mean_bits(const search *s) {
    double elements = 0, bits = 0;
    for (size_t l = 0; l < s->out->count; l++) {
        elements += (double)s->out->layers[l].elements;
        bits += (double)s->out->layers[l].elements * s->out->layers[l].bits;
    }
    return elements > 0 ? bits / elements : 0;
}

static bool is_narrowed(const search *s) {
    for (size_t l = 0; l < s->out->count; l++)
        if (s->at[l]) return true;
    return false;
}

static oq_status reach(search *s, oq_error *err) {
    double elements = 0;
    for (size_t l = 0; l < s->out->count; l++) elements += (double)s->out->layers[l].elements;
    if (s->options->goal == OQ_GOAL_BYTES) OQ_TRY(reach_bytes(s, err));
    if (s->options->goal == OQ_GOAL_BITS) OQ_TRY(choose(s, s->room = s->options->most * elements, err));
    if (is_narrowed(s) && total_bits(s) <= s->room) OQ_TRY(compare_one_width(s, s->room, err));
    if (s->options->goal == OQ_GOAL_BYTES) OQ_TRY(measure_bytes(s, &s->out->reached, err));
    set_overrides(s);
    s->out->bits = mean_bits(s);
    if (s->options->goal == OQ_GOAL_BYTES) {
        s->out->met = s->out->reached <= s->options->most;
        return ONNXQ_OK;
    }
    s->out->reached = s->out->bits;
    s->out->met = s->out->bits <= s->options->most;
    return ONNXQ_OK;
}

static oq_status begin(search *s, oq_error *err) {
    OQ_TRY(find_steps(s, err));
    OQ_TRY(oq_quantization_begin(&s->q, s->clone, s->source->stats, s->source->quant, err));
    OQ_TRY(find_layers(s, err));
    const size_t most = s->source->quant->override_count + s->out->count + 1;
    s->out->overrides = oq_mem_calloc(s->mem, most, sizeof *s->out->overrides, err);
    return s->out->overrides ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

oq_status oq_widths_choose(const oq_widths_source *source, const oq_widths_options *options, oq_widths *out,
                           oq_error *err) {
    search s = {.mem = source->prepared->mem, .source = source, .options = options, .out = out};
    *out = (oq_widths){.mem = s.mem};
    oq_status status;
    OQ_TRY_DONE(begin(&s, err));
    OQ_TRY_DONE(measure(&s, err));
    OQ_TRY_DONE(reach(&s, err));
done:
    oq_mem_free(s.mem, s.losses);
    oq_mem_free(s.mem, s.at);
    oq_quantization_release(&s.q);
    oq_model_free(s.clone);
    return status;
}

void oq_widths_release(oq_widths *widths) {
    if (!widths->mem) return;
    oq_mem_free(widths->mem, widths->layers);
    oq_mem_free(widths->mem, widths->overrides);
    *widths = (oq_widths){0};
}
