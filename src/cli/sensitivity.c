// onnxq sensitivity: what each layer costs when it alone is quantized.
#include "cli/command.h"

typedef struct sensitivity_values {
    common_values common;
    text_list data, input_ranges;
    const char *statistics;
    size_t limit;
    int per_tensor, format, method, no_guards, strict;
} sensitivity_values;

#define AT(member) offsetof(sensitivity_values, member)

static const option options[] = {
    {"data", 0, OPTION_TEXTS, "SRC",
     "samples: FILE.npz, FILE.npy, NAME=FILE.npy or a folder; may be repeated", AT(data), 0, 0},
    {"statistics", 0, OPTION_TEXT, "FILE",
     "ranges from 'onnxq calibrate' instead of running all samples first", AT(statistics), 0, 0},
    INPUT_RANGE_OPTION(AT(input_ranges)),
    {"limit", 0, OPTION_COUNT, "N", "measure on at most N samples (default: 32)", AT(limit), 1, 512},
    {"per-tensor", 0, OPTION_FLAG, NULL, "one weight scale per tensor", AT(per_tensor), 0, 0},
    {"format", 0, OPTION_CHOICE, "qoperator|qdq", "as for convert", AT(format), 0, 0},
    {"method", 0, OPTION_CHOICE, "auto|minmax|percentile|entropy|mse", "as for convert", AT(method), 0, 0},
    {"no-guards", 0, OPTION_FLAG, NULL, "rank what 'convert' leaves float by its guards, too", AT(no_guards),
     0, 0},
    CACHE_OPTIONS(sensitivity_values, common),
    {"strict", 0, OPTION_FLAG, NULL, "fail rather than measure on made-up samples", AT(strict), 0, 0},
    {0}};

static onnxq_status measure(const sensitivity_values *v, onnxq_session *session, const char *path,
                            onnxq_error *err) {
    onnxq_model *model = NULL;
    onnxq_data *data = NULL;
    onnxq_statistics *statistics = NULL;
    onnxq_report *report = NULL;
    onnxq_convert_options how = onnxq_convert_defaults();
    how.per_tensor = v->per_tensor;
    how.format = (onnxq_format)v->format;
    how.method = (onnxq_method)v->method;
    how.no_split = v->per_tensor; // it ranks the model's layers
    how.no_guards = v->no_guards; // what convert leaves float needs no place in the order
    onnxq_status status = onnxq_model_load(session, path, &model, err);
    if (status == ONNXQ_OK) status = command_input_ranges(&v->input_ranges, model, err);
    if (status == ONNXQ_OK)
        status = v->data.count ? onnxq_data_open(model, v->data.items, v->data.count, &data, err)
                               : onnxq_data_default(model, v->strict, &data, err);
    if (status == ONNXQ_OK && v->statistics)
        status = onnxq_statistics_load(session, v->statistics, &statistics, err);
    if (status == ONNXQ_OK) status = onnxq_sensitivity(model, statistics, data, &how, v->limit, &report, err);
    terminal_end();
    if (report) fputs(v->common.json ? onnxq_report_json(report) : onnxq_report_text(report), stdout);
    if (report && v->common.json) putchar('\n');
    onnxq_report_free(report);
    onnxq_statistics_free(statistics);
    onnxq_data_free(data);
    onnxq_model_free(model);
    return status;
}

static onnxq_status run(void *values, char **positional, size_t count, onnxq_error *err) {
    (void)count;
    const sensitivity_values *v = values;
    onnxq_session *session = NULL;
    onnxq_status status = terminal_session(&v->common, &session, err);
    if (status == ONNXQ_OK) status = measure(v, session, positional[0], err);
    onnxq_session_free(session);
    return status;
}

const command sensitivity_command = {
    .name = "sensitivity",
    .usage = "MODEL.onnx [--data SRC]... [OPTION]...",
    .summary = "rank layers by what quantizing each alone costs at the model's outputs",
    .details =
        "Quantizes one layer at a time, weights and operands and result, and compares the model's outputs "
        "with those of the float model: the loss is the mean Kullback-Leibler divergence where an output "
        "gives probabilities, noise over signal elsewhere. The layers at the top are the first to leave "
        "float ('convert --exclude'), or to look at.",
    .options = options,
    .positional_least = 1,
    .positional_most = 1,
    .values_size = sizeof(sensitivity_values),
    .run = run,
};
