// Sweeps: a clone of the prepared model is quantized at each width and compared with the float model.
#include "tune/sweep.h"
#include "base/file.h"
#include "onnx/onnx.h"
#include "tune/samples.h"
#include "verify/verify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct run {
    const oq_sweep_source *source;
    const oq_sweep_options *options;
    oq_sweep *out;
    oq_error refusal; // of the first width that was refused
} run;

static oq_status keep_text(oq_mem *mem, const char *text, char **out, oq_error *err) {
    const size_t size = strlen(text) + 1;
    *out = oq_mem_alloc(mem, size, err);
    if (!*out) return ONNXQ_NO_MEMORY;
    memcpy(*out, text, size);
    return ONNXQ_OK;
}

// Why nothing was quantized: what the first product that stays float was left for.
static oq_status refuse_empty_plan(const oq_graph *graph, const oq_plan *plan, oq_error *err) {
    char label[160];
    for (size_t n = 0; n < graph->node_count; n++) {
        const oq_node *node = graph->nodes[n];
        const char *reason = node->dead ? NULL : oq_plan_node(plan, node->id)->reason;
        if (reason)
            return oq_fail(err, ONNXQ_UNSUPPORTED, "no layer can be quantized; %s: %s",
                           oq_node_label(node, label, sizeof label), reason);
    }
    return oq_fail(err, ONNXQ_UNSUPPORTED, "no layer can be quantized: the model has no product");
}

// Weight-only mode: samples count where there are statistics of them and weights are narrow, as in a
// conversion. A constant that several nodes read counts once a node.
static oq_status store(const run *r, const oq_quant_options *quant, oq_model *clone, oq_sweep_point *point,
                       oq_error *err) {
    const oq_correct_options correct = {.tuning = r->options->tuning, .pool = r->options->pool};
    const bool samples = r->source->stats != NULL;
    const oq_stats *stats = oq_quant_stores_narrow(quant) ? r->source->stats : NULL;
    oq_storage *storage = NULL;
    oq_correction correction;
    oq_status status;
    OQ_TRY_DONE(oq_weights_store(clone, stats, quant, &storage, err));
    if (samples) OQ_TRY_DONE(oq_correct_storage(storage, clone, r->source->data, &correct, &correction, err));
    point->plan.nodes = storage->use_count;
    for (size_t i = 0; i < storage->use_count; i++) {
        const oq_stored_use *use = &storage->uses[i];
        point->plan.quantized += !use->reason && !storage->items[use->stored].dropped;
    }
    OQ_TRY_DONE(oq_weights_emit(storage, err));
done:
    oq_storage_free(storage);
    return status;
}

// `clone` becomes the quantized model.
static oq_status quantize(const run *r, oq_model *clone, oq_sweep_point *point, oq_error *err) {
    const oq_sweep_source *s = r->source;
    oq_quant_options quant = *s->quant;
    const oq_correct_options correct = {.tuning = r->options->tuning, .pool = r->options->pool};
    oq_quantization q;
    oq_plan *plan = NULL;
    oq_correction correction;
    oq_status status;
    quant.weight_bits = point->width.weight_bits;
    if (quant.mode == OQ_MODE_WEIGHT_ONLY) return store(r, &quant, clone, point, err);
    quant.activation_bits = point->width.activation_bits;
    OQ_TRY_DONE(oq_quantization_begin(&q, clone, s->stats, &quant, err));
    OQ_TRY_DONE(oq_quantization_plan(&q, s->data, &correct, &plan, &correction, err));
    point->plan = oq_plan_summarize(plan);
    if (!point->plan.quantized) OQ_TRY_DONE(refuse_empty_plan(clone->graph, plan, err));
    OQ_TRY_DONE(oq_quantization_emit(&q, plan, clone->graph, NULL, err));
done:
    oq_plan_free(plan);
    oq_quantization_release(&q);
    return status;
}

static void take_figures(const oq_verify_result *result, oq_sweep_point *point, double *accuracy) {
    point->sqnr = point->cosine = point->agreement = point->accuracy = (double)NAN;
    for (size_t i = 0; i < result->output_count; i++) {
        const oq_output_difference *o = &result->outputs[i];
        if (o->varies) continue;
        point->sqnr = fmin(point->sqnr, oq_difference_sqnr(&o->all));
        point->cosine = fmin(point->cosine, o->cosine_mean);
        if (o->classifies && o->rows)
            point->agreement = fmin(point->agreement, (double)o->same / (double)o->rows);
        if (isnan(o->accuracy_model)) continue;
        point->accuracy = fmin(point->accuracy, o->accuracy_model);
        *accuracy = o->accuracy_reference;
    }
}

static oq_status compare(const run *r, oq_model *quantized, oq_sweep_point *point, oq_error *err) {
    const oq_sweep_options *o = r->options;
    const oq_verify_options options = {.limit = o->limit,
                                       .first = r->out->held_out ? OQ_HOLD_OUT_EVERY - 1 : 0,
                                       .stride = r->out->held_out ? OQ_HOLD_OUT_EVERY : 1,
                                       .labels = o->labels,
                                       .label_count = o->label_count,
                                       .pool = o->pool};
    const oq_dataset *judges = o->judges ? o->judges : r->source->data;
    oq_verify_result result;
    OQ_TRY(oq_verify(r->source->original->graph, quantized->graph, judges, &options, &result, err));
    r->out->samples = result.samples;
    take_figures(&result, point, &r->out->accuracy);
    oq_verify_release(&result);
    return ONNXQ_OK;
}

static oq_status save(const run *r, const oq_model *quantized, const oq_sweep_point *point, oq_error *err) {
    char name[32];
    if (!r->options->folder) return ONNXQ_OK;
    if (point->width.activation_bits)
        snprintf(name, sizeof name, "w%da%d.onnx", point->width.weight_bits, point->width.activation_bits);
    else
        snprintf(name, sizeof name, "w%d.onnx", point->width.weight_bits);
    char *path = oq_path_join(r->out->mem, r->options->folder, name, err);
    const oq_status status = path ? oq_onnx_save(quantized, path, NULL, err) : ONNXQ_NO_MEMORY;
    oq_mem_free(r->out->mem, path);
    return status;
}

// What concerns one width alone; anything else ends the sweep.
static bool is_refusal(oq_status status) { return status == ONNXQ_UNSUPPORTED || status == ONNXQ_USAGE; }

static oq_status measure(run *r, oq_sweep_point *point, oq_error *err) {
    oq_error refusal = {0};
    oq_model *clone = NULL;
    OQ_TRY(oq_model_clone(r->source->prepared, &clone, err));
    oq_status status = quantize(r, clone, point, &refusal);
    if (is_refusal(status)) {
        if (r->refusal.status == ONNXQ_OK) r->refusal = refusal;
        status = keep_text(r->out->mem, refusal.message, &point->obstacle, err);
    } else if (status != ONNXQ_OK) {
        if (err) *err = refusal;
    } else {
        status = oq_onnx_size(clone, &point->bytes, err);
        if (status == ONNXQ_OK) status = save(r, clone, point, err);
        if (status == ONNXQ_OK) status = compare(r, clone, point, err);
    }
    oq_model_free(clone);
    return status;
}

static oq_status measure_all(run *r, oq_error *err) {
    const oq_sweep_options *o = r->options;
    size_t refused = 0;
    for (size_t i = 0; i < o->width_count; i++) {
        oq_progress_step(o->progress, "sweeping", i, o->width_count);
        OQ_TRY(measure(r, &r->out->points[i], err));
        refused += r->out->points[i].obstacle != NULL;
    }
    oq_progress_step(o->progress, "sweeping", o->width_count, o->width_count);
    if (refused < o->width_count) return ONNXQ_OK;
    if (err) *err = r->refusal;
    return r->refusal.status;
}

oq_status oq_sweep_measure(const oq_sweep_source *source, const oq_sweep_options *options, oq_sweep *out,
                           oq_error *err) {
    run r = {.source = source, .options = options, .out = out};
    oq_mem *mem = source->prepared->mem;
    *out = (oq_sweep){.mem = mem,
                      .accuracy = (double)NAN,
                      .held_out = !options->judges && source->stats && oq_samples_hold_out(source->data),
                      .count = options->width_count};
    oq_status status;
    out->points = oq_mem_calloc(mem, out->count + 1, sizeof *out->points, err);
    status = out->points ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t i = 0; status == ONNXQ_OK && i < out->count; i++) out->points[i].width = options->widths[i];
    if (status == ONNXQ_OK && options->folder) status = oq_path_make_folder(options->folder, err);
    if (status == ONNXQ_OK) status = oq_onnx_size(source->original, &out->bytes, err);
    if (status == ONNXQ_OK) status = measure_all(&r, err);
    if (status != ONNXQ_OK) oq_sweep_release(out);
    return status;
}

void oq_sweep_release(oq_sweep *sweep) {
    if (!sweep->mem) return;
    for (size_t i = 0; sweep->points && i < sweep->count; i++)
        oq_mem_free(sweep->mem, sweep->points[i].obstacle);
    oq_mem_free(sweep->mem, sweep->points);
    *sweep = (oq_sweep){0};
}
