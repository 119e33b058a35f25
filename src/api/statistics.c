// Calibration of a prepared model, through the cache where the session has one.
#include "api/api.h"
#include "stats/cache.h"

// What is run and watched in one calibration.
typedef struct watch {
    oq_mem *mem;
    bool *observed; // [value_count], or NULL: every float value
    int *axis;      // [value_count]
    bool *levels;   // [value_count]
} watch;

static oq_status watch_begin(watch *w, const oq_prepared *prepared, oq_error *err) {
    oq_graph *graph = prepared->model->graph;
    *w = (watch){.mem = graph->model->mem};
    w->axis = oq_mem_calloc(w->mem, graph->value_count + 1, sizeof *w->axis, err);
    w->levels = oq_mem_calloc(w->mem, graph->value_count + 1, sizeof *w->levels, err);
    if (!w->axis || !w->levels) return ONNXQ_NO_MEMORY;
    oq_smooth_axes(graph, w->axis);
    oq_equalize_axes(graph, w->axis);
    oq_input_grid_watch(graph, w->axis, w->levels);
    return ONNXQ_OK;
}

static void watch_end(watch *w) {
    oq_mem_free(w->mem, w->observed);
    oq_mem_free(w->mem, w->axis);
    oq_mem_free(w->mem, w->levels);
}

// What these options and the default ones ask for: statistics then serve conversions with other widths and
// methods, and do so whether or not there is a cache.
static oq_status watch_plans(watch *w, oq_graph *graph, const oq_quant_options *options, oq_error *err) {
    const oq_quant_options defaults = oq_quant_defaults();
    bool *more = oq_mem_calloc(w->mem, graph->value_count + 1, sizeof *more, err);
    w->observed = oq_mem_calloc(w->mem, graph->value_count + 1, sizeof *w->observed, err);
    oq_status status = more && w->observed ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK) status = oq_quant_observe(graph, &defaults, w->observed, err);
    if (status == ONNXQ_OK) status = oq_quant_observe(graph, options, more, err);
    for (size_t v = 0; status == ONNXQ_OK && v < graph->value_count; v++) w->observed[v] |= more[v];
    oq_mem_free(w->mem, more);
    return status;
}

static oq_status calibrate(const onnxq_session *session, const oq_prepared *prepared, const watch *w,
                           const oq_dataset *data, size_t limit, oq_stats **out, oq_error *err) {
    const oq_calibrate_options options = {.observed = w->observed,
                                          .axis = w->axis,
                                          .levels = w->levels,
                                          .limit = limit,
                                          .progress = &session->progress,
                                          .pool = session->pool};
    OQ_TRY(oq_calibrate(prepared->model->graph, data, &options, out, err));
    (*out)->model = prepared->hash;
    return ONNXQ_OK;
}

oq_status oq_prepared_calibrate(const onnxq_session *session, const oq_prepared *prepared,
                                const oq_dataset *data, size_t limit, oq_stats **out, oq_error *err) {
    watch w;
    oq_status status = watch_begin(&w, prepared, err);
    if (status == ONNXQ_OK) status = calibrate(session, prepared, &w, data, limit, out, err);
    watch_end(&w);
    return status;
}

// What the cache cannot do is no failure of the conversion; why, the user is told.
static void note_trouble(const onnxq_session *session, oq_error *trouble, const char *consequence) {
    oq_error_prefix(trouble, "%s: ", consequence);
    oq_progress_note(&session->progress, trouble->message);
}

static oq_status through_cache(const onnxq_session *session, const oq_prepared *prepared, const watch *w,
                               const oq_dataset *data, oq_stats **out, bool *cached, oq_error *err) {
    oq_error trouble = {0};
    oq_cache_key key = {.model = prepared->hash};
    OQ_TRY(oq_dataset_hash(data, &key.data, err));
    OQ_TRY(oq_cache_key_name(&key, w->mem, w->observed, w->axis, prepared->model->graph->value_count, err));
    if (oq_cache_find(w->mem, session->cache, &key, out, &trouble) != ONNXQ_OK)
        note_trouble(session, &trouble, "the samples are run again");
    *cached = *out != NULL;
    if (*cached) return ONNXQ_OK;
    OQ_TRY(calibrate(session, prepared, w, data, 0, out, err));
    (*out)->data = key.data;
    trouble = (oq_error){0};
    if (oq_cache_store(*out, session->cache, &key, &trouble) != ONNXQ_OK)
        note_trouble(session, &trouble, "the statistics are not kept for the next time");
    return ONNXQ_OK;
}

oq_status oq_prepared_statistics(const onnxq_session *session, const oq_prepared *prepared,
                                 const oq_dataset *data, const oq_quant_options *options, oq_stats **out,
                                 bool *cached, oq_error *err) {
    watch w;
    bool unused;
    bool *hit = cached ? cached : &unused;
    *hit = false;
    *out = NULL;
    oq_status status = watch_begin(&w, prepared, err);
    if (status == ONNXQ_OK) status = watch_plans(&w, prepared->model->graph, options, err);
    if (status == ONNXQ_OK)
        status = session->cache ? through_cache(session, prepared, &w, data, out, hit, err)
                                : calibrate(session, prepared, &w, data, 0, out, err);
    watch_end(&w);
    return status;
}
