// What errors of rows cost, and what it costs to split them.
#include "passes/split_rows.h"

#include <math.h>

// Where sizes are not known they are taken for this.
enum { USUAL_SIZE = 32, MOST_STEPS = 3 };
// A part more must take away this share of the signal's power, expected with weights rounded to nearest; and
// again so much for each READ numbers that it reads.
#define PRICE 2.5e-5
#define READ  2e5

static const oq_tensor_stats *stats_of(const oq_row_split *s, oq_value_id value) {
    const oq_tensor_stats *t = oq_stats_find(s->stats, oq_graph_value(s->graph, value)->name);
    return t && t->count && !t->nan && !t->infinite ? t : NULL;
}

// Mean square, and the share of values that are not 0.
static double power_of(const oq_tensor_stats *t, double *active) {
    *active = 1 - (double)t->zero / (double)t->count;
    return oq_exact_sum_get(&t->sum_squares) / (double)t->count;
}

// Functions that give 0 let no errors through.
static bool is_function(const oq_node *node) { return oq_node_is(node, "Clip") || oq_node_is(node, "Relu"); }

// Of the outputs of a layer, or of the last that is known of what they come to, residual sums included: the
// power, 0 when nothing is known, and the least share of values that are not 0.
static double outputs_power(const oq_row_split *s, const oq_node *layer, bool sums, double *active) {
    double power = 0;
    *active = 1;
    for (int i = 0; i < MOST_STEPS; i++) {
        double share = 1;
        const oq_tensor_stats *t = stats_of(s, layer->outputs[0]);
        if (t) power = power_of(t, &share);
        *active = fmin(*active, share);
        layer = oq_graph_only_consumer(s->graph, layer->outputs[0]);
        if (!layer || !(is_function(layer) || (sums && oq_node_is(layer, "Add")))) break;
    }
    return power;
}

oq_status oq_split_measure_reader(const oq_row_split *s, const oq_node *reader, double *gain, double *signal,
                                  oq_error *err) {
    oq_tensor w = {0};
    size_t inner;
    double active;
    if (!oq_split_reader(s, reader, &inner)) return ONNXQ_OK;
    const double power = outputs_power(s, reader, true, &active);
    OQ_TRY(oq_constant_load(s->graph->model->mem, oq_graph_constant(s->graph, reader->inputs[1]), &w, err));
    const size_t count = (size_t)oq_tensor_count(&w);
    const float *x = w.data;
    for (size_t i = 0; i < count; i++) gain[i / inner % s->channels] += active * (double)x[i] * (double)x[i];
    *signal += power * (double)count / (double)(s->channels * (oq_node_is(reader, "Gemm") ? 1 : inner));
    oq_tensor_release(&w);
    return ONNXQ_OK;
}

// Mean square of what a layer reads, by channel; the same for all where no more is known.
static void find_power(const oq_row_split *s, const oq_node *layer, double *power, size_t channels) {
    const oq_tensor_stats *t = stats_of(s, layer->inputs[0]);
    if (t && t->channels == channels && t->axis == 1 && t->channel_count) {
        oq_stats_channel_power(t, 0, NULL, power);
        return;
    }
    double active, mean = t ? power_of(t, &active) : 1;
    if (!(mean > 0) && t) mean = fmax((double)t->min * (double)t->min, (double)t->max * (double)t->max) / 3;
    for (size_t c = 0; c < channels; c++) power[c] = mean;
}

static void measure_rows(const oq_tensor *w, size_t rows, double *size, double *sum) {
    const size_t depth = (size_t)oq_tensor_count(w) / rows;
    const float *x = w->data;
    for (size_t r = 0; r < rows; r++) {
        size[r] = sum[r] = 0;
        for (size_t i = 0; i < depth; i++, x++) {
            const double square = (double)*x * (double)*x;
            sum[r] += square;
            size[r] = fmax(size[r], square);
        }
    }
}

oq_status oq_split_measure_rows(const oq_row_split *s, const oq_node *layer, double *size, double *weight,
                                double *gain, oq_error *err) {
    oq_mem *mem = s->graph->model->mem;
    oq_tensor w = {0};
    OQ_TRY(oq_constant_load(mem, oq_split_weight(s, layer), &w, err));
    const bool depthwise = oq_node_int(layer, "group", 1) != 1;
    const size_t depth = (size_t)w.shape.dim[1], taps = (size_t)oq_tensor_count(&w) / s->channels / depth,
                 most = depth > s->channels ? depth : s->channels;
    const double levels = ldexp(1, s->options->weight_bits - 1) - 1;
    double active, sum = 0, *power = oq_mem_calloc(mem, most, sizeof *power, err);
    if (!power) {
        oq_tensor_release(&w);
        return ONNXQ_NO_MEMORY;
    }
    outputs_power(s, layer, false, &active);
    find_power(s, layer, power, depthwise ? s->channels : depth);
    for (size_t i = 0; i < depth; i++) sum += power[i];
    for (size_t c = 0; c < s->channels; c++)
        weight[c] = (double)taps * (depthwise ? power[c] : sum) * active * gain[c] / (12 * levels * levels);
    measure_rows(&w, s->channels, size, power);
    for (size_t c = 0; c < s->channels; c++) gain[c] *= active * power[c];
    oq_mem_free(mem, power);
    oq_tensor_release(&w);
    return ONNXQ_OK;
}

double oq_split_price(const oq_row_split *s, const oq_node *layer, double signal) {
    if (!(signal > 0)) return 0;
    const oq_type *type = &oq_graph_value(s->graph, layer->outputs[0])->type;
    const oq_shape *w = &oq_split_weight(s, layer)->shape;
    double read = (double)oq_shape_range_count(w, 1, w->rank);
    for (int d = 2; d < type->rank; d++)
        read *= oq_dim_known(type->dim[d]) ? (double)type->dim[d].size : USUAL_SIZE;
    return PRICE * (1 + read / READ);
}
