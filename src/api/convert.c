// Convert: prepare, calibrate, plan, emit, compare.
#include "api/api.h"
#include "quant/quant.h"
#include "tune/quantize.h"
#include "verify/verify.h"

#include <math.h>
#include <string.h>

enum { VERIFY_SAMPLES = 32 };

onnxq_convert_options onnxq_convert_defaults(void) {
    const oq_quant_options q = oq_quant_defaults();
    return (onnxq_convert_options){.format = ONNXQ_FORMAT_QOPERATOR,
                                   .weight_bits = q.weight_bits,
                                   .activation_bits = q.activation_bits,
                                   .weight_type = ONNXQ_INT8,
                                   .activation_type = ONNXQ_UINT8,
                                   .method = ONNXQ_METHOD_AUTO,
                                   .percentile = 99.99,
                                   .verify_samples = VERIFY_SAMPLES};
}

oq_range_method oq_api_method(onnxq_method method) {
    static const oq_range_method methods[] = {[ONNXQ_METHOD_AUTO] = OQ_RANGE_AUTO,
                                              [ONNXQ_METHOD_MINMAX] = OQ_RANGE_MINMAX,
                                              [ONNXQ_METHOD_PERCENTILE] = OQ_RANGE_PERCENTILE,
                                              [ONNXQ_METHOD_ENTROPY] = OQ_RANGE_ENTROPY,
                                              [ONNXQ_METHOD_MSE] = OQ_RANGE_MSE};
    return methods[method];
}

static oq_status check_type(onnxq_dtype type, const char *what, oq_error *err) {
    if (type == ONNXQ_INT8 || type == ONNXQ_UINT8) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_USAGE, "%s must be int8 or uint8, not %s", what, onnxq_dtype_name(type));
}

static const oq_mode modes[] = {[ONNXQ_MODE_STATIC] = OQ_MODE_STATIC,
                                [ONNXQ_MODE_WEIGHT_ONLY] = OQ_MODE_WEIGHT_ONLY,
                                [ONNXQ_MODE_DYNAMIC] = OQ_MODE_DYNAMIC};

oq_status oq_options_translate(const onnxq_convert_options *o, oq_quant_options *q, oq_error *err) {
    OQ_TRY(check_type(o->weight_type, "the type of weights", err));
    OQ_TRY(check_type(o->activation_type, "the type of activations", err));
    if (o->no_split && !o->per_tensor)
        return oq_fail(err, ONNXQ_USAGE,
                       "layers are split only where weights have one scale a tensor: without --per-tensor, "
                       "--no-split is of no use");
    *q = oq_quant_defaults();
    q->mode = modes[o->mode];
    q->target = o->target == ONNXQ_TARGET_X86_AVX2 ? OQ_TARGET_X86_AVX2 : OQ_TARGET_ANY;
    q->format = o->format == ONNXQ_FORMAT_QDQ ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    q->weight_bits = o->weight_bits;
    q->activation_bits = o->activation_bits;
    q->per_channel = !o->per_tensor;
    q->split_rows = o->per_tensor && !o->no_split && !o->layer_count && !o->include_count &&
                    o->target_bytes == 0 && o->target_bits == 0;
    q->group_size = o->group_size;
    // Where weights have more bits than tables would, nobody asked for such a loss.
    q->embedding_by_gain = o->embedding_bits == 0 && o->mode != ONNXQ_MODE_WEIGHT_ONLY;
    q->embedding_bits = o->embedding_bits > 0                        ? o->embedding_bits
                        : q->embedding_by_gain && o->weight_bits > 8 ? 0
                        : o->embedding_bits == 0                     ? 8
                                                                     : 0;
    q->weight_signed = o->weight_type == ONNXQ_INT8;
    q->activation_signed = o->activation_type == ONNXQ_INT8;
    q->activation_symmetric = o->activation_symmetric;
    q->weight_asymmetric = o->weight_asymmetric;
    q->half_quadratic = o->search == ONNXQ_SEARCH_HQQ;
    q->elementwise = !o->float_functions;
    q->whole_blocks = !o->no_zero_channels;
    q->method = oq_api_method(o->method);
    q->guards = !o->no_guards;
    q->percentile = o->percentile;
    q->include = o->include;
    q->include_count = o->include_count;
    q->exclude = o->exclude;
    q->exclude_count = o->exclude_count;
    q->op_types = o->op_types;
    q->op_type_count = o->op_type_count;
    return ONNXQ_OK;
}

oq_status oq_overrides_make(const onnxq_convert_options *o, const oq_prepared *prepared, oq_quant_options *q,
                            oq_node_override **list, oq_error *err) {
    oq_mem *mem = prepared->model->mem;
    oq_layer_choice *choices = oq_mem_calloc(mem, o->layer_count + 1, sizeof *choices, err);
    if (!choices) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < o->layer_count; i++)
        choices[i] = (oq_layer_choice){.glob = o->layers[i].glob,
                                       .weight_bits = o->layers[i].weight_bits,
                                       .activation_bits = o->layers[i].activation_bits,
                                       .leave_float = o->layers[i].leave_float};
    const oq_status status =
        oq_quant_override(prepared->model->graph, choices, o->layer_count, list, &q->override_count, err);
    q->overrides = *list;
    oq_mem_free(mem, choices);
    return status;
}

// Tuned on `data`, and with layers left float where the budget in `facts` wants it.
static oq_status make_plan(const onnxq_session *session, oq_quantization *q, const oq_dataset *data,
                           const onnxq_convert_options *options, oq_plan **plan, oq_convert_facts *facts,
                           oq_error *err) {
    bool tables = false;
    if (q->quant.embedding_by_gain && facts->goal == OQ_GOAL_NONE)
        OQ_TRY(oq_storage_any(q->model->graph, &q->quant, &tables, err));
    const oq_correct_options correct = {.tuning = facts->tuning,
                                        .tables = tables ? &q->quant : NULL,
                                        .progress = &session->progress,
                                        .pool = session->pool};
    oq_budget_options budget = {.metric = facts->metric,
                                .value = facts->asked,
                                .tuning = facts->tuning,
                                .never_wide = options->float_fallback,
                                .progress = &session->progress,
                                .pool = session->pool};
    if (facts->metric == OQ_METRIC_NONE)
        return oq_quantization_plan(q, data, &correct, plan, &facts->correction, err);
    int64_t *labels = NULL;
    oq_status status = ONNXQ_OK;
    if (options->labels)
        status = oq_labels_load(data, q->model->mem, options->labels, &labels, &budget.label_count, err);
    budget.labels = labels;
    if (status == ONNXQ_OK)
        status = oq_budget_meet(q, data, &budget, plan, &facts->correction, &facts->budget, err);
    oq_mem_free(q->model->mem, labels);
    return status;
}

oq_tuning oq_tuning_of(const onnxq_convert_options *options, const oq_dataset *data) {
    static const oq_rounding roundings[] = {[ONNXQ_ROUNDING_GRAM] = OQ_ROUNDING_GRAM,
                                            [ONNXQ_ROUNDING_NEAREST] = OQ_ROUNDING_NEAREST,
                                            [ONNXQ_ROUNDING_GPTQ] = OQ_ROUNDING_GPTQ,
                                            [ONNXQ_ROUNDING_ADAROUND] = OQ_ROUNDING_ADAROUND};
    if (!data) return (oq_tuning){0};
    // Means are much the same for made-up samples; which way to round each weight is not.
    const bool rounds = !oq_dataset_is_synthetic(data);
    return (oq_tuning){.biases = !options->no_correction,
                       .rounding = rounds ? roundings[options->rounding] : OQ_ROUNDING_NEAREST};
}

// With a target for the size, the overrides of `quant` become those that meet it.
static oq_status choose_widths(const onnxq_session *session, const oq_prepared *prepared,
                               const oq_stats *stats, const oq_dataset *data, oq_quant_options *quant,
                               oq_convert_facts *facts, oq_error *err) {
    if (facts->goal == OQ_GOAL_NONE) return ONNXQ_OK;
    const oq_widths_source source = {prepared->model, stats, data, quant};
    const oq_widths_options options = {.goal = facts->goal,
                                       .most = facts->target,
                                       .tuning = facts->tuning,
                                       .progress = &session->progress,
                                       .pool = session->pool};
    OQ_TRY(oq_widths_choose(&source, &options, &facts->widths, err));
    quant->overrides = facts->widths.overrides;
    quant->override_count = facts->widths.override_count;
    return ONNXQ_OK;
}

// Weight-only mode. `stats` and `data` may be NULL.
static oq_status store(const onnxq_model *model, oq_prepared *prepared, const oq_stats *stats,
                       const oq_dataset *data, const oq_quant_options *quant, oq_convert_facts *facts,
                       oq_error *err) {
    const oq_correct_options correct = {
        .tuning = facts->tuning, .progress = &model->session->progress, .pool = model->session->pool};
    oq_storage *storage = NULL;
    oq_status status;
    OQ_TRY_DONE(oq_weights_store(prepared->model, stats, quant, &storage, err));
    if (data)
        OQ_TRY_DONE(oq_correct_storage(storage, prepared->model, data, &correct, &facts->correction, err));
    OQ_TRY_DONE(oq_convert_facts_storage(model->model, storage, facts, err));
    OQ_TRY_DONE(oq_weights_emit(storage, err));
done:
    oq_storage_free(storage);
    return status;
}

// Quantizes the prepared model in place; its facts before emission go into `facts`.
static oq_status quantize(const onnxq_model *model, oq_prepared *prepared, const oq_stats *stats,
                          const oq_dataset *data, const onnxq_convert_options *options,
                          const oq_quant_options *asked, oq_convert_facts *facts, oq_error *err) {
    oq_quant_options quant = *asked;
    oq_quantization q = {0};
    oq_plan *plan = NULL;
    oq_graph *graph = prepared->model->graph;
    oq_storage *tables = NULL;
    oq_status status;
    facts->tuning = oq_tuning_of(options, data);
    OQ_TRY_DONE(choose_widths(model->session, prepared, stats, data, &quant, facts, err));
    OQ_TRY_DONE(oq_quantization_begin(&q, prepared->model, stats, &quant, err));
    facts->input_grids = q.input_grids;
    facts->split = q.split;
    OQ_TRY_DONE(make_plan(model->session, &q, data, options, &plan, facts, err));
    OQ_TRY_DONE(oq_ranges_check(stats, graph, plan, err));
    OQ_TRY_DONE(oq_convert_facts_before(model->model, graph, plan, facts, err));
    if (facts->correction.tables_judged && !facts->correction.tables_kept)
        q.quant.tables_refused = "the outputs would lose more than .2 dB, on samples held out";
    OQ_TRY_DONE(oq_quantization_emit(&q, plan, graph, &tables, err));
    oq_convert_facts_sizes(graph, plan, facts);
    if (tables) OQ_TRY_DONE(oq_convert_facts_storage(model->model, tables, facts, err));
done:
    oq_storage_free(tables);
    oq_plan_free(plan);
    oq_quantization_release(&q);
    return status;
}

// Statistics that were given, or those of the data, which go into *own.
static oq_status find_statistics(const onnxq_model *model, const oq_prepared *prepared,
                                 const onnxq_statistics *statistics, const oq_dataset *data,
                                 const oq_quant_options *quant, oq_stats **own, const oq_stats **out,
                                 oq_convert_facts *facts, oq_error *err) {
    if (!statistics)
        OQ_TRY(oq_prepared_statistics(model->session, prepared, data, quant, own, &facts->cached, err));
    *out = statistics ? statistics->stats : *own;
    OQ_TRY(oq_statistics_check(*out, model->model, prepared, err));
    facts->calibrated = true;
    facts->samples = (*out)->samples;
    facts->synthetic = (*out)->synthetic;
    facts->given = (*out)->given;
    return ONNXQ_OK;
}

// Static mode: statistics, then the plan.
static oq_status convert_static(const onnxq_model *model, oq_prepared *prepared,
                                const onnxq_statistics *statistics, const oq_dataset *data,
                                const onnxq_convert_options *options, const oq_quant_options *quant,
                                oq_convert_facts *facts, oq_error *err) {
    oq_stats *own = NULL;
    const oq_stats *stats;
    facts->format = options->format == ONNXQ_FORMAT_QDQ ? "qdq" : "qoperator";
    oq_status status = find_statistics(model, prepared, statistics, data, quant, &own, &stats, facts, err);
    if (status == ONNXQ_OK) status = quantize(model, prepared, stats, data, options, quant, facts, err);
    oq_stats_free(own);
    return status;
}

// Weight-only mode: real samples, where there are any and weights are narrow, say which of these matter most
// and how they are best rounded; made-up ones do not.
static oq_status convert_weights(const onnxq_model *model, oq_prepared *prepared,
                                 const onnxq_statistics *statistics, const oq_dataset *data,
                                 const onnxq_convert_options *options, const oq_quant_options *asked,
                                 oq_convert_facts *facts, oq_error *err) {
    oq_quant_options quant = *asked;
    const bool narrow = oq_quant_stores_narrow(asked) || facts->goal != OQ_GOAL_NONE;
    oq_stats *own = NULL;
    const oq_stats *stats = NULL;
    oq_status status;
    if (data && oq_dataset_is_synthetic(data)) data = NULL;
    facts->tuning = oq_tuning_of(options, data);
    if (statistics || (data && narrow))
        OQ_TRY_DONE(find_statistics(model, prepared, statistics, data, &quant, &own, &stats, facts, err));
    OQ_TRY_DONE(choose_widths(model->session, prepared, stats, data, &quant, facts, err));
    OQ_TRY_DONE(store(model, prepared, stats, data, &quant, facts, err));
done:
    oq_stats_free(own);
    return status;
}

// Dynamic mode: a plan without statistics.
static oq_status convert_dynamic(const onnxq_model *model, oq_prepared *prepared,
                                 const oq_quant_options *quant, oq_convert_facts *facts, oq_error *err) {
    oq_graph *graph = prepared->model->graph;
    oq_plan *plan = NULL;
    oq_storage *tables = NULL;
    oq_status status;
    OQ_TRY(oq_pass_upgrade_opset(prepared->model, oq_quant_minimum_opset(quant), err));
    OQ_TRY(oq_infer_graph(graph, err));
    OQ_TRY(oq_plan_make(graph, NULL, quant, &plan, err));
    OQ_TRY_DONE(oq_convert_facts_before(model->model, graph, plan, facts, err));
    OQ_TRY_DONE(oq_plan_emit(plan, graph, err));
    oq_convert_facts_sizes(graph, plan, facts);
    OQ_TRY_DONE(oq_tables_emit(graph, quant, plan, &tables, err));
    if (tables) OQ_TRY_DONE(oq_convert_facts_storage(model->model, tables, facts, err));
    OQ_TRY_DONE(oq_graph_sweep(graph, true, err));
    OQ_TRY_DONE(oq_infer_graph(graph, err));
    OQ_TRY_DONE(oq_check_graph(graph, false, err));
done:
    oq_storage_free(tables);
    oq_plan_free(plan);
    return status;
}

// Options that say something about ranges found by calibration, where there is none.
static oq_status check_dynamic(const onnxq_convert_options *o, const onnxq_statistics *statistics,
                               oq_error *err) {
    const char *useless = statistics                            ? "statistics are"
                          : o->method != ONNXQ_METHOD_AUTO      ? "a range method is"
                          : o->format != ONNXQ_FORMAT_QOPERATOR ? "a format is"
                                                                : NULL;
    if (!useless) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_USAGE, "in dynamic mode ranges are found at run time: %s of no use", useless);
}

static oq_status compare(const onnxq_model *model, const oq_prepared *quantized, const onnxq_data *data,
                         const onnxq_convert_options *o, oq_verify_result *result, oq_error *err) {
    const onnxq_session *session = model->session;
    const oq_verify_options options = {
        .limit = o->verify_samples, .layers = o->page, .progress = &session->progress, .pool = session->pool};
    return oq_verify(model->model->graph, quantized->model->graph, data->set, &options, result, err);
}

static oq_status make_report(onnxq_session *session, const oq_prepared *quantized, oq_convert_facts *facts,
                             double begin, onnxq_report **out, oq_error *err) {
    oq_report report;
    facts->seconds = oq_seconds_now() - begin;
    facts->peak_memory = onnxq_session_peak_memory(session);
    OQ_TRY(oq_report_convert(&session->mem, facts, quantized->model, &report, err));
    return oq_report_wrap(session, report, out, err);
}

static const oq_metric metrics[] = {[ONNXQ_METRIC_NONE] = OQ_METRIC_NONE,
                                    [ONNXQ_METRIC_SQNR] = OQ_METRIC_SQNR,
                                    [ONNXQ_METRIC_COSINE] = OQ_METRIC_COSINE,
                                    [ONNXQ_METRIC_AGREEMENT] = OQ_METRIC_AGREEMENT,
                                    [ONNXQ_METRIC_ACCURACY] = OQ_METRIC_ACCURACY};

static const char *const mode_names[] = {[ONNXQ_MODE_STATIC] = "static",
                                         [ONNXQ_MODE_WEIGHT_ONLY] = "weight-only",
                                         [ONNXQ_MODE_DYNAMIC] = "dynamic"};

static oq_status check_mode(const onnxq_convert_options *options, const onnxq_statistics *statistics,
                            const onnxq_data *data, oq_error *err) {
    if (options->mode == ONNXQ_MODE_STATIC && !statistics && !data)
        return oq_fail(err, ONNXQ_USAGE, "give calibration samples or statistics");
    if (options->mode != ONNXQ_MODE_STATIC && options->metric != ONNXQ_METRIC_NONE)
        return oq_fail(err, ONNXQ_USAGE, "a drop can be held in static mode only, not in %s mode",
                       mode_names[options->mode]);
    if (options->mode == ONNXQ_MODE_DYNAMIC && (options->target_bytes != 0 || options->target_bits != 0))
        return oq_fail(
            err, ONNXQ_USAGE,
            "a target for the size can be met in static and weight-only mode, not in dynamic mode");
    return options->mode == ONNXQ_MODE_DYNAMIC ? check_dynamic(options, statistics, err) : ONNXQ_OK;
}

static oq_status check_target(const onnxq_convert_options *options, oq_error *err) {
    const bool bytes = options->target_bytes != 0, bits = options->target_bits != 0;
    if ((bytes && !(options->target_bytes > 0)) || (bits && !(options->target_bits > 0)))
        return oq_fail(err, ONNXQ_USAGE, "a target for the size must be a positive number");
    if (bytes + bits + (options->metric != ONNXQ_METRIC_NONE) > 1)
        return oq_fail(err, ONNXQ_USAGE,
                       "a target size, target bits and a drop exclude each other: give one of them");
    return ONNXQ_OK;
}

static oq_status check_budget(const onnxq_convert_options *options, const onnxq_data *data, oq_error *err) {
    OQ_TRY(check_target(options, err));
    const bool target = options->target_bytes != 0 || options->target_bits != 0;
    if (options->metric == ONNXQ_METRIC_NONE && !target) return ONNXQ_OK;
    if (!data)
        return oq_fail(err, ONNXQ_USAGE, "a %s on samples: give them%s",
                       target ? "target is met by what layers lose" : "drop can only be held",
                       options->mode == ONNXQ_MODE_STATIC ? " beside the statistics" : "");
    if (oq_dataset_is_synthetic(data->set))
        return oq_fail(err, ONNXQ_BAD_DATA, "a %s on made-up samples: give real ones",
                       target ? "target cannot be met" : "drop cannot be held");
    if (options->metric == ONNXQ_METRIC_ACCURACY && !options->labels)
        return oq_fail(err, ONNXQ_USAGE, "accuracy needs labels: give one a sample");
    return ONNXQ_OK;
}

// What cannot be run can be quantized with ranges from a file, not by looking at what it computes.
static oq_status check_runs(const oq_prepared *prepared, const onnxq_convert_options *options,
                            bool calibrates, oq_convert_facts *facts, oq_error *err) {
    oq_error *why = &facts->cannot_run;
    const oq_status status = oq_graph_can_run(prepared->model->graph, why);
    if (status == ONNXQ_OK || (status == ONNXQ_UNSUPPORTED && !calibrates && !facts->metric)) return ONNXQ_OK;
    if (status != ONNXQ_UNSUPPORTED || options->metric != ONNXQ_METRIC_NONE)
        oq_fail(err, status, "%s", why->message);
    else
        oq_fail(err, status,
                "%s: give the ranges of the tensors in a file (--statistics; 'onnxq inspect --ranges' lists "
                "them), or quantize weights alone (--mode weight-only)",
                why->message);
    oq_error_at_node(err, why->node, why->op_type);
    return status;
}

static oq_status target_missed(const oq_convert_facts *facts, oq_error *err) {
    const bool bytes = facts->goal == OQ_GOAL_BYTES;
    return oq_fail(err, ONNXQ_ACCURACY,
                   "a target of %.12g %s cannot be reached: the narrowest widths of this format give %.12g%s",
                   facts->target, bytes ? "bytes" : "bits", facts->widths.reached,
                   bytes ? " bytes; --format qdq packs 4 and 2 bits, integer operators take a byte" : "");
}

static oq_status budget_missed(const oq_convert_facts *facts, oq_error *err) {
    return oq_fail(
        err, ONNXQ_ACCURACY,
        "%s=%g cannot be held: the best found has %.6g with %zu layers %s, on %zu samples held out",
        oq_metric_name(facts->metric), facts->asked, facts->budget.after, facts->budget.reverted_count,
        facts->budget.wide ? "at 16 bits" : "left float", facts->budget.samples);
}

onnxq_status onnxq_convert(onnxq_model *model, const onnxq_statistics *statistics, const onnxq_data *data,
                           const onnxq_convert_options *options, onnxq_model **out, onnxq_report **report,
                           onnxq_error *err) {
    const double begin = oq_seconds_now();
    onnxq_session *session = model->session;
    oq_quant_options q;
    oq_node_override *overrides = NULL;
    oq_prepared prepared = {0};
    oq_verify_result verified = {0};
    onnxq_data sorted = {session, NULL};
    oq_convert_facts facts = {.mode = mode_names[options->mode],
                              .metric = metrics[options->metric],
                              .asked = options->budget,
                              .page = options->page,
                              .goal = options->target_bytes > 0  ? OQ_GOAL_BYTES
                                      : options->target_bits > 0 ? OQ_GOAL_BITS
                                                                 : OQ_GOAL_NONE,
                              .target =
                                  options->target_bytes > 0 ? options->target_bytes : options->target_bits};
    *out = NULL;
    if (report) *report = NULL;
    if (onnxq_model_is_quantized(model) || options->dequantize)
        return statistics
                   ? oq_fail(err, ONNXQ_USAGE, "the model is quantized already: statistics are of no use")
                   : oq_convert_given(model, data, options, out, report, err);
    OQ_TRY(oq_options_translate(options, &q, err));
    OQ_TRY(check_mode(options, statistics, data, err));
    OQ_TRY(check_budget(options, data, err));
    oq_status status;
    OQ_TRY_DONE(oq_prepared_make(model, &prepared, err));
    OQ_TRY_DONE(oq_overrides_make(options, &prepared, &q, &overrides, err));
    OQ_TRY_DONE(
        check_runs(&prepared, options, !statistics && options->mode == ONNXQ_MODE_STATIC, &facts, err));
    if (*facts.cannot_run.message) data = NULL; // nothing is corrected or compared
    if (data) {
        OQ_TRY_DONE(oq_dataset_by_content(data->set, session->pool, &sorted.set, err));
        data = &sorted;
    }
    if (options->mode == ONNXQ_MODE_WEIGHT_ONLY)
        OQ_TRY_DONE(
            convert_weights(model, &prepared, statistics, data ? data->set : NULL, options, &q, &facts, err));
    else if (options->mode == ONNXQ_MODE_DYNAMIC)
        OQ_TRY_DONE(convert_dynamic(model, &prepared, &q, &facts, err));
    else
        OQ_TRY_DONE(
            convert_static(model, &prepared, statistics, data ? data->set : NULL, options, &q, &facts, err));
    OQ_TRY_DONE(oq_pass_narrow_constants(prepared.model->graph, prepared.computed_in, err));
    if (data && options->verify_samples) {
        oq_mem_trim();
        OQ_TRY_DONE(compare(model, &prepared, data, options, &verified, err));
        facts.verified = &verified;
    }
    if (report) OQ_TRY_DONE(make_report(session, &prepared, &facts, begin, report, err));
    oq_model *quantized = prepared.model;
    prepared.model = NULL;
    OQ_TRY_DONE(oq_model_wrap(session, quantized, out, err));
    if (facts.metric != OQ_METRIC_NONE && !facts.budget.met) status = budget_missed(&facts, err);
    if (facts.goal != OQ_GOAL_NONE && !facts.widths.met) status = target_missed(&facts, err);
done:
    if (status != ONNXQ_OK && status != ONNXQ_ACCURACY && report) {
        onnxq_report_free(*report);
        *report = NULL;
    }
    oq_verify_release(&verified);
    oq_budget_release(&facts.budget);
    oq_widths_release(&facts.widths);
    oq_convert_facts_release(&facts);
    oq_mem_free(&session->mem, overrides);
    oq_prepared_release(&prepared);
    oq_dataset_free(sorted.set);
    return status;
}
