// Samples and the statistics made from them.
#include "api/api.h"

enum { SYNTHETIC_SAMPLES = 48, SYNTHETIC_SEED = 20240229 };

static oq_status wrap(onnxq_session *session, oq_dataset *set, onnxq_data **out, oq_error *err) {
    onnxq_data *data = oq_mem_calloc(&session->mem, 1, sizeof *data, err);
    if (!data) {
        oq_dataset_free(set);
        return ONNXQ_NO_MEMORY;
    }
    *data = (onnxq_data){session, set};
    *out = data;
    return ONNXQ_OK;
}

onnxq_status onnxq_data_open(onnxq_model *model, const char *const *sources, size_t count, onnxq_data **out,
                             onnxq_error *err) {
    onnxq_session *session = model->session;
    oq_dataset *set = NULL;
    *out = NULL;
    OQ_TRY(oq_dataset_open(&session->mem, model->model->graph, sources, count, &set, err));
    if (oq_dataset_note(set)) oq_progress_note(&session->progress, oq_dataset_note(set));
    return wrap(session, set, out, err);
}

onnxq_status onnxq_data_default(onnxq_model *model, int strict, onnxq_data **out, onnxq_error *err) {
    onnxq_session *session = model->session;
    const oq_graph *graph = model->model->graph;
    oq_dataset *set = NULL;
    *out = NULL;
    OQ_TRY(oq_dataset_beside(&session->mem, graph, model->model->path, &set, err));
    if (!set && strict)
        return oq_fail(err, ONNXQ_BAD_DATA,
                       "no calibration data: give --data, or put test_data_set_* folders beside '%s'",
                       model->model->path);
    if (!set) {
        OQ_TRY(oq_dataset_synthetic(&session->mem, graph, SYNTHETIC_SAMPLES, SYNTHETIC_SEED, &set, err));
        oq_progress_note(
            &session->progress,
            "no data given: the 48 samples used are MADE UP (random numbers), so ranges and figures "
            "say little about real inputs; give --data");
    }
    return wrap(session, set, out, err);
}

size_t onnxq_data_count(const onnxq_data *data) { return oq_dataset_count(data->set); }
int onnxq_data_is_synthetic(const onnxq_data *data) { return oq_dataset_is_synthetic(data->set); }

void onnxq_data_free(onnxq_data *data) {
    if (!data) return;
    oq_dataset_free(data->set);
    oq_mem_free(&data->session->mem, data);
}

static oq_status wrap_statistics(onnxq_session *session, oq_stats *stats, onnxq_statistics **out,
                                 oq_error *err) {
    onnxq_statistics *statistics = oq_mem_calloc(&session->mem, 1, sizeof *statistics, err);
    if (!statistics) {
        oq_stats_free(stats);
        return ONNXQ_NO_MEMORY;
    }
    *statistics = (onnxq_statistics){session, stats};
    *out = statistics;
    return ONNXQ_OK;
}

onnxq_status onnxq_calibrate(onnxq_model *model, const onnxq_data *data, size_t limit, onnxq_statistics **out,
                             onnxq_error *err) {
    onnxq_session *session = model->session;
    oq_prepared prepared;
    oq_stats *stats = NULL;
    *out = NULL;
    OQ_TRY(oq_prepared_make(model, &prepared, err));
    oq_status status = oq_prepared_calibrate(session, &prepared, data->set, limit, &stats, err);
    if (status == ONNXQ_OK) status = oq_dataset_hash(data->set, &stats->data, err);
    oq_prepared_release(&prepared);
    if (status == ONNXQ_OK) return wrap_statistics(session, stats, out, err);
    oq_stats_free(stats);
    return status;
}

onnxq_status onnxq_statistics_save(const onnxq_statistics *statistics, const char *path, onnxq_error *err) {
    return oq_stats_save(statistics->stats, path, err);
}

onnxq_status onnxq_statistics_load(onnxq_session *session, const char *path, onnxq_statistics **out,
                                   onnxq_error *err) {
    oq_stats *stats = NULL;
    *out = NULL;
    OQ_TRY(oq_stats_load_any(&session->mem, path, &stats, err));
    return wrap_statistics(session, stats, out, err);
}

onnxq_status onnxq_statistics_merge(onnxq_statistics *into, const onnxq_statistics *other, onnxq_error *err) {
    if (into->stats->given || other->stats->given)
        return oq_fail(err, ONNXQ_BAD_DATA,
                       "ranges that were written by hand cannot be merged: put them into one file");
    return oq_stats_merge(into->stats, other->stats, err);
}

uint64_t onnxq_statistics_samples(const onnxq_statistics *statistics) { return statistics->stats->samples; }

void onnxq_statistics_free(onnxq_statistics *statistics) {
    if (!statistics) return;
    oq_stats_free(statistics->stats);
    oq_mem_free(&statistics->session->mem, statistics);
}
