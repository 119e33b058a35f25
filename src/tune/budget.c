// Budgets: bisection over layers ranked by what they cost at the outputs.
#include "tune/budget.h"
#include "tune/samples.h"
#include "verify/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_JUDGES = 256, WIDE_BITS = 16, WIDE_OPSET = 21 };

const char *oq_metric_name(oq_metric metric) {
    static const char *const names[] = {[OQ_METRIC_NONE] = "none",
                                        [OQ_METRIC_SQNR] = "sqnr",
                                        [OQ_METRIC_COSINE] = "cos",
                                        [OQ_METRIC_AGREEMENT] = "agree",
                                        [OQ_METRIC_ACCURACY] = "accuracy"};
    return names[metric];
}

// A plan that was judged.
typedef struct trial {
    oq_plan *plan;
    oq_correction correction;
    double figure;
    bool holds;
} trial;

typedef struct hunt {
    oq_mem *mem;
    oq_quantization *q;
    const oq_dataset *data;
    const oq_budget_options *options;
    oq_sensitivity layers;       // by loss per multiply-accumulate once ranked
    const oq_node_override *own; // [own_count] the options' overrides
    size_t own_count;
    oq_node_override *overrides; // those, but for layers that are left float, and one for each of these
    const char *reason;          // arena of the model
    bool wide, best_wide;        // what is reverted gets 16 bits, in the trial that is on and in `best`
    bool *left;                  // [layers.count] reverted in the trial that is on
    bool *kept;                  // [layers.count] reverted in `best`
    trial best;
    oq_budget *out;
} hunt;

// --- judging one plan ---

static double worst_figure(oq_metric metric, const oq_verify_result *r) {
    double worst = (double)NAN;
    for (size_t i = 0; i < r->output_count; i++) {
        const oq_output_difference *o = &r->outputs[i];
        double figure = (double)NAN;
        if (o->varies) continue;
        if (metric == OQ_METRIC_SQNR) figure = oq_difference_sqnr(&o->all);
        if (metric == OQ_METRIC_COSINE) figure = o->cosine_mean;
        if (metric == OQ_METRIC_AGREEMENT && o->classifies && o->rows)
            figure = (double)o->same / (double)o->rows;
        if (metric == OQ_METRIC_ACCURACY) figure = 100 * (o->accuracy_reference - o->accuracy_model);
        worst = metric == OQ_METRIC_ACCURACY ? fmax(worst, figure) : fmin(worst, figure);
    }
    return worst;
}

static bool is_better(oq_metric metric, double a, double b) {
    return metric == OQ_METRIC_ACCURACY ? a < b : a > b;
}

static oq_status verify(hunt *h, oq_plan *plan, double *figure, oq_error *err) {
    const bool hold_out = oq_samples_hold_out(h->data);
    const oq_verify_options options = {.limit = MOST_JUDGES,
                                       .first = hold_out ? OQ_HOLD_OUT_EVERY - 1 : 0,
                                       .stride = hold_out ? OQ_HOLD_OUT_EVERY : 1,
                                       .labels = h->options->labels,
                                       .label_count = h->options->label_count,
                                       .pool = h->options->pool};
    oq_model *clone = NULL;
    oq_verify_result result = {0};
    oq_status status;
    OQ_TRY_DONE(oq_model_clone(h->q->model, &clone, err));
    OQ_TRY_DONE(oq_quantization_emit(h->q, plan, clone->graph, NULL, err));
    OQ_TRY_DONE(oq_verify(h->q->model->graph, clone->graph, h->data, &options, &result, err));
    *figure = worst_figure(h->options->metric, &result);
    h->out->samples = result.samples;
    if (isnan(*figure))
        status =
            oq_fail(err, ONNXQ_USAGE, "no output of the model has a top class%s, so '%s' cannot be measured",
                    h->options->metric == OQ_METRIC_ACCURACY ? " with one row a label" : "",
                    oq_metric_name(h->options->metric));
done:
    oq_verify_release(&result);
    oq_model_free(clone);
    return status;
}

static bool is_left(const hunt *h, oq_node_id node) {
    for (size_t l = 0; l < h->layers.count; l++)
        if (h->layers.layers[l].node == node) return h->left[l];
    return false;
}

static oq_node_override reversion(const hunt *h, oq_node_id node) {
    if (h->wide)
        return (oq_node_override){.node = node, .weight_bits = WIDE_BITS, .activation_bits = WIDE_BITS};
    return (oq_node_override){.node = node, .leave_float = h->reason};
}

static void set_overrides(hunt *h) {
    size_t count = 0;
    for (size_t i = 0; i < h->own_count; i++)
        if (!is_left(h, h->own[i].node)) h->overrides[count++] = h->own[i];
    for (size_t l = 0; l < h->layers.count; l++)
        if (h->left[l]) h->overrides[count++] = reversion(h, h->layers.layers[l].node);
    h->q->quant.overrides = h->overrides;
    h->q->quant.override_count = count;
}

// A trial that holds, or comes nearer while none holds, becomes the best.
static void keep_best(hunt *h, trial *t) {
    const bool better = t->holds || !h->best.plan ||
                        (!h->best.holds && is_better(h->options->metric, t->figure, h->best.figure));
    if (better) {
        oq_plan_free(h->best.plan);
        h->best = *t;
        h->best_wide = h->wide;
        memcpy(h->kept, h->left, h->layers.count * sizeof *h->kept);
    } else {
        oq_plan_free(t->plan);
    }
    t->plan = NULL;
}

// Plans, emits and judges with the layers float that `left` marks.
static oq_status try(hunt *h, bool *holds, oq_error *err) {
    const oq_budget_options *o = h->options;
    const oq_correct_options correct = {.tuning = o->tuning, .pool = o->pool};
    trial t = {0};
    oq_status status;
    set_overrides(h);
    OQ_TRY_DONE(oq_quantization_plan(h->q, h->data, &correct, &t.plan, &t.correction, err));
    OQ_TRY_DONE(verify(h, t.plan, &t.figure, err));
    t.holds = o->metric == OQ_METRIC_ACCURACY ? t.figure <= o->value : t.figure >= o->value;
    *holds = t.holds;
    h->out->plans++;
    keep_best(h, &t);
done:
    oq_plan_free(t.plan);
    return status;
}

// --- choosing layers ---

static double gain(const oq_layer_loss *layer) {
    return layer->loss / (layer->macs ? (double)layer->macs : 1.);
}

static int by_gain(const void *a, const void *b) {
    const oq_layer_loss *x = a, *y = b;
    if (gain(x) != gain(y)) return gain(x) < gain(y) ? 1 : -1;
    return x->node < y->node ? -1 : x->node > y->node;
}

// The least `count` of the ranking's first layers whose reversion holds, up to all but one; 0 when none does.
static oq_status revert_first(hunt *h, size_t *reverted, oq_error *err) {
    size_t low = 0, high = h->layers.count; // `low` does not hold; `high` does, or was not tried
    bool holds = false;
    *reverted = 0;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        for (size_t l = 0; l < h->layers.count; l++) h->left[l] = l < middle;
        OQ_TRY(try(h, &holds, err));
        *(holds ? &high : &low) = middle;
        if (holds) *reverted = middle;
        oq_progress_step(h->options->progress, "choosing layers", h->layers.count - (high - low),
                         h->layers.count);
    }
    return ONNXQ_OK;
}

// Positions of the `count` reverted layers in order of rising loss.
static void order_by_loss(const hunt *h, size_t *order, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        while (at > 0 && h->layers.layers[order[at - 1]].loss > h->layers.layers[i].loss) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
}

// Cheap layers come early in the ranking also when they lose little: as many of them as possible go back.
static oq_status give_back(hunt *h, size_t reverted, oq_error *err) {
    size_t *order = oq_mem_calloc(h->mem, reverted + 1, sizeof *order, err);
    if (!order) return ONNXQ_NO_MEMORY;
    order_by_loss(h, order, reverted);
    size_t low = 0, high = reverted; // giving back `low` holds
    oq_status status = ONNXQ_OK;
    while (status == ONNXQ_OK && high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        bool holds = false;
        for (size_t l = 0; l < h->layers.count; l++) h->left[l] = l < reverted;
        for (size_t i = 0; i < middle; i++) h->left[order[i]] = false;
        status = try(h, &holds, err);
        *(holds ? &low : &high) = middle;
    }
    oq_mem_free(h->mem, order);
    return status;
}

static oq_status allocate(hunt *h, size_t layers, oq_error *err) {
    oq_mem_free(h->mem, h->left);
    oq_mem_free(h->mem, h->kept);
    oq_mem_free(h->mem, h->overrides);
    h->left = oq_mem_calloc(h->mem, layers + 1, sizeof *h->left, err);
    h->kept = oq_mem_calloc(h->mem, layers + 1, sizeof *h->kept, err);
    h->overrides = oq_mem_calloc(h->mem, h->own_count + layers + 1, sizeof *h->overrides, err);
    return h->left && h->kept && h->overrides ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static oq_status measure_layers(hunt *h, oq_error *err) {
    const oq_sensitivity_options options = {.progress = h->options->progress, .pool = h->options->pool};
    h->q->quant.overrides = h->own;
    h->q->quant.override_count = h->own_count;
    OQ_TRY(oq_sensitivity_measure(h->q, h->data, &options, &h->layers, err));
    qsort(h->layers.layers, h->layers.count, sizeof *h->layers.layers, by_gain);
    return allocate(h, h->layers.count, err);
}

static oq_status begin(hunt *h, oq_error *err) {
    h->own = h->q->quant.overrides;
    h->own_count = h->q->quant.override_count;
    h->reason = oq_arena_printf(&h->q->model->arena, err, "reverted to hold %s=%g",
                                oq_metric_name(h->options->metric), h->options->value);
    return h->reason ? allocate(h, 0, err) : ONNXQ_NO_MEMORY;
}

// Whether 16-bit layers can be written: by format and options, and by raising the model's opset.
static oq_status may_widen(const hunt *h, bool *may, oq_error *err) {
    const oq_quant_options *quant = &h->q->quant;
    oq_model *clone = NULL;
    oq_error refusal = {0};
    *may = !h->options->never_wide && quant->format == OQ_FORMAT_QDQ &&
           (quant->weight_bits < WIDE_BITS || quant->activation_bits < WIDE_BITS);
    if (!*may) return ONNXQ_OK;
    OQ_TRY(oq_model_clone(h->q->model, &clone, err));
    const oq_status status = oq_pass_upgrade_opset(clone, WIDE_OPSET, &refusal);
    oq_model_free(clone);
    *may = status == ONNXQ_OK;
    if (status == ONNXQ_OK || status == ONNXQ_UNSUPPORTED) return ONNXQ_OK;
    if (err) *err = refusal;
    return status;
}

static oq_status search(hunt *h, oq_error *err) {
    bool holds, wide;
    size_t reverted = 0;
    OQ_TRY(try(h, &holds, err));
    h->out->before = h->best.figure;
    if (holds) return ONNXQ_OK;
    OQ_TRY(measure_layers(h, err));
    OQ_TRY(may_widen(h, &wide, err));
    h->wide = wide;
    if (wide) OQ_TRY(revert_first(h, &reverted, err));
    h->wide = reverted > 0;
    if (!reverted) OQ_TRY(revert_first(h, &reverted, err));
    return reverted ? give_back(h, reverted, err) : ONNXQ_OK;
}

static int by_loss(const void *a, const void *b) {
    const oq_layer_loss *x = a, *y = b;
    if (x->loss != y->loss) return x->loss < y->loss ? 1 : -1;
    return x->node < y->node ? -1 : x->node > y->node;
}

static oq_status finish(hunt *h, oq_error *err) {
    oq_budget *out = h->out;
    memcpy(h->left, h->kept, h->layers.count * sizeof *h->left);
    h->wide = out->wide = h->best_wide;
    set_overrides(h);
    out->met = h->best.holds;
    out->after = h->best.figure;
    out->reverted = oq_mem_calloc(h->mem, h->layers.count + 1, sizeof *out->reverted, err);
    if (!out->reverted) return ONNXQ_NO_MEMORY;
    for (size_t l = 0; l < h->layers.count; l++)
        if (h->kept[l]) out->reverted[out->reverted_count++] = h->layers.layers[l];
    qsort(out->reverted, out->reverted_count, sizeof *out->reverted, by_loss);
    return ONNXQ_OK;
}

oq_status oq_budget_meet(oq_quantization *q, const oq_dataset *data, const oq_budget_options *options,
                         oq_plan **plan, oq_correction *correction, oq_budget *out, oq_error *err) {
    hunt h = {.mem = q->model->mem, .q = q, .data = data, .options = options, .out = out};
    *out = (oq_budget){.mem = h.mem};
    *plan = NULL;
    oq_status status;
    OQ_TRY_DONE(begin(&h, err));
    OQ_TRY_DONE(search(&h, err));
    OQ_TRY_DONE(finish(&h, err));
    *plan = h.best.plan;
    *correction = h.best.correction;
    h.best.plan = NULL;
done:
    oq_plan_free(h.best.plan);
    out->overrides = h.overrides;
    oq_sensitivity_release(&h.layers);
    oq_mem_free(h.mem, h.left);
    oq_mem_free(h.mem, h.kept);
    return status;
}

void oq_budget_release(oq_budget *budget) {
    if (!budget->mem) return;
    oq_mem_free(budget->mem, budget->reverted);
    oq_mem_free(budget->mem, budget->overrides);
    *budget = (oq_budget){0};
}
