// Cross-layer equalization (Nagel et al. 2019, section 4.1): f(x / s) = f(x) / s lets the rows of a layer be
// divided by s and the columns of the layers behind it be multiplied, channel by channel, so that one scale
// for all weights of a layer serves them all. Where each row has a scale of its own, factors cost nothing in
// rows and in the weights of depthwise convolutions: there they serve the values, which share one scale.
#include "passes/equalize.h"

#include <math.h>
#include <string.h>

// Kept for a group where the expected error of the layers around it falls below this share; of the values
// alone, which tuning of what reads them makes up for in part, where a bit or more is gained.
#define WORTHWHILE        0.9
#define WORTHWHILE_VALUES 0.25
// What rounding by data leaves of the error of weights that are rounded to nearest; it does not help against
// that of the values.
#define LEFT_BY_ROUNDING 0.15
// Error of layers that are split by the size of their rows, in that of rows with scales of their own.
#define LEFT_BY_SPLITTING 2.5
// Channels with (nearly) no weights are treated as if they had this share of the layer's largest.
#define LEAST_SHARE 1e-3
// Values that each channel must have shown before its range counts: nothing is gained from guesses.
#define LEAST_VALUES 512
// Rounds over all groups, the change of a factor below which nothing moves any more, and the largest factor.
#define MOST_ROUNDS 20
#define AT_REST     1.02
#define MOST_FACTOR 0x1p16

static double input_factor(const oq_equalize *e, const oq_equalize_layer *l, size_t channel) {
    return l->in == OQ_NONE ? 1 : e->groups[l->in].factor[channel];
}

static double output_factor(const oq_equalize *e, const oq_equalize_layer *l, size_t channel) {
    return l->out == OQ_NONE ? 1 : e->groups[l->out].factor[channel];
}

// --- factors ---

// The largest rescaled weight of each row (output channel) or column, as a share of the layer's largest,
// where that is more than `share` says already.
static void raise_shares(const oq_equalize *e, const oq_equalize_layer *l, bool rows, double *share) {
    double top = 0;
    const size_t count = rows ? l->outputs : l->inputs;
    double *peak = rows ? l->row : e->groups[l->in].scratch + l->inputs;
    memset(peak, 0, count * sizeof *peak);
    for (size_t i = 0; i < l->entries; i++) {
        size_t output, input;
        oq_equalize_entry(l, i, &output, &input);
        const double x = (double)l->peak[i] * input_factor(e, l, input) / output_factor(e, l, output);
        double *own = &peak[rows ? output : input];
        *own = fmax(*own, x);
        top = fmax(top, x);
    }
    for (size_t c = 0; c < count && top > 0; c++) share[c] = fmax(share[c], fmax(peak[c] / top, LEAST_SHARE));
}

// sqrt(r1 / r2): afterwards row and column of a channel have the same share of their layers' largest weight.
// The greatest change comes back.
static double balance(oq_equalize *e, size_t index) {
    oq_equalize_group *g = &e->groups[index];
    double most = 1, *behind = g->scratch;
    double *before = g->scratch + 2 * g->channels;
    memset(g->scratch, 0, 3 * g->channels * sizeof *g->scratch);
    for (size_t i = 0; i < e->layer_count; i++) {
        const oq_equalize_layer *l = &e->layers[i];
        if (l->in == (int32_t)index) raise_shares(e, l, false, behind);
        if (l->out == (int32_t)index) raise_shares(e, l, true, before);
    }
    for (size_t c = 0; c < g->channels; c++) {
        if (!(before[c] > 0) || !(behind[c] > 0)) continue;
        double factor = g->factor[c] * sqrt(before[c] / behind[c]);
        factor = fmin(fmax(factor, 1 / MOST_FACTOR), MOST_FACTOR);
        if (g->clipped) factor = g->room[c] < 1 ? fmax(factor, g->room[c]) : 1;
        most = fmax(most, fmax(factor / g->factor[c], g->factor[c] / factor));
        g->factor[c] = factor;
    }
    return most;
}

static bool is_depthwise(const oq_equalize_layer *l) { return l->inputs == l->groups; }

// For rows with scales of their own: the values' ranges come together where depthwise convolutions alone read
// them. Half way in orders of magnitude, because samples that were not seen may reach further.
static void spread(oq_equalize *e, size_t index) {
    oq_equalize_group *g = &e->groups[index];
    double most = 0;
    if (g->values < LEAST_VALUES) return;
    for (size_t i = 0; i < e->layer_count; i++)
        if (e->layers[i].in == (int32_t)index && !is_depthwise(&e->layers[i])) return;
    for (size_t c = 0; c < g->channels; c++) most = fmax(most, fmax(-g->low[c], g->high[c]));
    for (size_t c = 0; c < g->channels && most > 0; c++) {
        const double reach = fmax(-g->low[c], g->high[c]);
        g->factor[c] = sqrt(fmax(reach / most, LEAST_SHARE));
        if (g->clipped) g->factor[c] = g->room[c] < 1 ? fmax(g->factor[c], g->room[c]) : 1;
    }
}

// --- what they are worth ---

// Expected squared error of a layer's outputs by the rounding of its weights, in units of the outputs as they
// were, weighed by `importance` [outputs] (NULL: all alike). The factor 1 / 12 is left out here and below.
static double weight_error(const oq_equalize *e, const oq_equalize_layer *l, const double *importance) {
    double *peak = l->row, *power = l->row + l->outputs, top = 0, sum = 0;
    memset(l->row, 0, 2 * l->outputs * sizeof *l->row);
    for (size_t i = 0; i < l->entries; i++) {
        size_t output, input;
        oq_equalize_entry(l, i, &output, &input);
        const double in = input_factor(e, l, input);
        peak[output] = fmax(peak[output], (double)l->peak[i] * in);
        power[output] += (double)l->kernel * l->power[input] / (in * in);
    }
    for (size_t o = 0; o < l->outputs; o++) top = fmax(top, peak[o] / output_factor(e, l, o));
    const double levels = ldexp(1, e->options->weight_bits - 1) - 1;
    double own = 0;
    for (size_t o = 0; o < l->outputs; o++) {
        const double each = power[o] * (importance ? importance[o] : 1) / (levels * levels);
        const double step = top * output_factor(e, l, o);
        sum += step * step * each;
        own += peak[o] * peak[o] * each;
    }
    if (e->options->split_rows) sum = fmin(sum, LEFT_BY_SPLITTING * own);
    return LEFT_BY_ROUNDING * sum;
}

// The same at the outputs of the layers behind a group: by their weights, by the rounding of the group's
// values, by the weights of the layers before it.
static double expected_error(const oq_equalize *e, size_t index) {
    const oq_equalize_group *g = &e->groups[index];
    double low = 0, high = 0, sum = 0, through = 0;
    for (size_t c = 0; c < g->channels; c++) {
        low = fmin(low, g->low[c] / g->factor[c]);
        high = fmax(high, g->high[c] / g->factor[c]);
        through += g->factor[c] * g->factor[c] * g->weight[c];
    }
    const double step = (high - low) / (ldexp(1, e->options->activation_bits) - 1);
    sum = step * step * through;
    for (size_t i = 0; i < e->layer_count && !e->options->per_channel; i++) {
        const oq_equalize_layer *l = &e->layers[i];
        if (l->in == (int32_t)index) sum += weight_error(e, l, NULL);
        if (l->out == (int32_t)index) sum += weight_error(e, l, g->weight);
    }
    return sum;
}

// Takes the factors of a group back where they are not worth it; says whether it keeps any.
static bool decide(oq_equalize *e, size_t index) {
    oq_equalize_group *g = &e->groups[index];
    double *kept = g->scratch;
    bool any = false;
    const double with = expected_error(e, index);
    for (size_t c = 0; c < g->channels; c++) {
        kept[c] = g->factor[c];
        any |= kept[c] != 1;
        g->factor[c] = 1;
    }
    const double share = e->options->per_channel ? WORTHWHILE_VALUES : WORTHWHILE;
    if (!any || !(with < share * expected_error(e, index))) return false;
    memcpy(g->factor, kept, g->channels * sizeof *kept);
    return true;
}

oq_status oq_pass_equalize(oq_graph *graph, const oq_equalize_options *options, oq_stats *stats,
                           size_t *count, oq_error *err) {
    oq_equalize e = {.graph = graph, .options = options, .stats = stats};
    *count = 0;
    oq_status status = oq_equalize_find(&e, err);
    double most = options->per_channel ? 1 : 2;
    for (int round = 0; status == ONNXQ_OK && round < MOST_ROUNDS && most > AT_REST; round++) {
        most = 1;
        for (size_t g = 0; g < e.group_count; g++)
            if (!e.groups[g].clipped || !options->split_rows) most = fmax(most, balance(&e, g));
    }
    for (size_t g = 0; status == ONNXQ_OK && g < e.group_count && options->per_channel; g++) spread(&e, g);
    for (size_t g = 0; status == ONNXQ_OK && g < e.group_count; g++) *count += decide(&e, g);
    if (status == ONNXQ_OK && *count) status = oq_equalize_apply(&e, err);
    oq_equalize_release(&e);
    return status;
}
