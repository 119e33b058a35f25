// onnxq calibrate and onnxq merge: statistics files.
#include "cli/command.h"

typedef struct calibrate_values {
    common_values common;
    text_list data, input_ranges;
    const char *output;
    size_t limit;
    int strict;
} calibrate_values;

#define AT(member) offsetof(calibrate_values, member)

static const option calibrate_options[] = {
    {"data", 0, OPTION_TEXTS, "SRC",
     "calibration samples: FILE.npz, FILE.npy, NAME=FILE.npy or a folder; may be repeated", AT(data), 0, 0},
    INPUT_RANGE_OPTION(AT(input_ranges)),
    {"output", 'o', OPTION_TEXT, "FILE", "where the statistics go", AT(output), 0, 0},
    {"limit", 0, OPTION_COUNT, "N", "use at most N samples", AT(limit), 1, 1e12},
    {"strict", 0, OPTION_FLAG, NULL, "fail rather than calibrate on made-up samples", AT(strict), 0, 0},
    {0}};

static const option merge_options[] = {
    {"output", 'o', OPTION_TEXT, "FILE", "where the merged statistics go", AT(output), 0, 0}, {0}};

static onnxq_status needs_output(const calibrate_values *v, onnxq_error *err) {
    if (v->output) return ONNXQ_OK;
    snprintf(err->message, sizeof err->message, "say where the statistics go: -o FILE");
    return ONNXQ_USAGE;
}

static onnxq_status calibrate(void *values, char **positional, size_t count, onnxq_error *err) {
    (void)count;
    const calibrate_values *v = values;
    onnxq_session *session = NULL;
    onnxq_model *model = NULL;
    onnxq_data *data = NULL;
    onnxq_statistics *statistics = NULL;
    onnxq_status status = needs_output(v, err);
    if (status == ONNXQ_OK) status = terminal_session(&v->common, &session, err);
    if (status == ONNXQ_OK) status = onnxq_model_load(session, positional[0], &model, err);
    if (status == ONNXQ_OK) status = command_input_ranges(&v->input_ranges, model, err);
    if (status == ONNXQ_OK)
        status = v->data.count ? onnxq_data_open(model, v->data.items, v->data.count, &data, err)
                               : onnxq_data_default(model, v->strict, &data, err);
    if (status == ONNXQ_OK) status = onnxq_calibrate(model, data, v->limit, &statistics, err);
    if (status == ONNXQ_OK) status = onnxq_statistics_save(statistics, v->output, err);
    if (status == ONNXQ_OK && !v->common.quiet)
        fprintf(stderr, "%s: statistics of %llu samples\n", v->output,
                (unsigned long long)onnxq_statistics_samples(statistics));
    onnxq_statistics_free(statistics);
    onnxq_data_free(data);
    onnxq_model_free(model);
    onnxq_session_free(session);
    return status;
}

static onnxq_status merge(void *values, char **positional, size_t count, onnxq_error *err) {
    const calibrate_values *v = values;
    onnxq_session *session = NULL;
    onnxq_statistics *all = NULL;
    onnxq_status status = needs_output(v, err);
    if (status == ONNXQ_OK) status = terminal_session(&v->common, &session, err);
    if (status == ONNXQ_OK) status = onnxq_statistics_load(session, positional[0], &all, err);
    for (size_t i = 1; i < count && status == ONNXQ_OK; i++) {
        onnxq_statistics *part = NULL;
        status = onnxq_statistics_load(session, positional[i], &part, err);
        if (status == ONNXQ_OK) status = onnxq_statistics_merge(all, part, err);
        onnxq_statistics_free(part);
    }
    if (status == ONNXQ_OK) status = onnxq_statistics_save(all, v->output, err);
    onnxq_statistics_free(all);
    onnxq_session_free(session);
    return status;
}

const command calibrate_command = {
    .name = "calibrate",
    .usage = "MODEL.onnx --data SRC... -o FILE [OPTION]...",
    .summary = "collect activation statistics into a file for 'convert --statistics'",
    .options = calibrate_options,
    .positional_least = 1,
    .positional_most = 1,
    .values_size = sizeof(calibrate_values),
    .run = calibrate,
};

const command merge_command = {
    .name = "merge",
    .usage = "PART... -o FILE",
    .summary = "join statistics files of the same model made from different samples",
    .details = "Joins statistics of the same model made from different samples, on one machine or several. "
               "The result is the "
               "same, bit for bit, as one calibration over all the samples.",
    .options = merge_options,
    .positional_least = 1,
    .positional_most = 1000000,
    .values_size = sizeof(calibrate_values),
    .run = merge,
};
