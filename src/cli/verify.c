// onnxq verify: what a quantized model lost against its original.
#include "cli/command.h"

#include <math.h>

typedef struct verify_values {
    common_values common;
    text_list data;
    const char *labels;
    double minimum_sqnr, minimum_cosine, minimum_agreement;
    size_t limit;
    int layers, emulate;
} verify_values;

#define AT(member) offsetof(verify_values, member)

static const option options[] = {
    {"data", 0, OPTION_TEXTS, "SRC",
     "evaluation samples: FILE.npz, FILE.npy, NAME=FILE.npy or a folder; may be repeated", AT(data), 0, 0},
    {"labels", 0, OPTION_TEXT, "FILE.npy", "the right class of each sample: accuracies are shown", AT(labels),
     0, 0},
    {"limit", 0, OPTION_COUNT, "N", "use at most N samples", AT(limit), 1, 1e12},
    {"layers", 0, OPTION_FLAG, NULL,
     "also every layer: its error, what of it arrives and what arises there (dB), shares of integers at the "
     "ends of "
     "their type and of values beyond, range and spread of its values",
     AT(layers), 0, 0},
    {"emulate", 0, OPTION_CHOICE, "any|x86-avx2",
     "run the second model as kernels on x86 without VNNI do, which add pairs of products in 16 bits that "
     "saturate",
     AT(emulate), 0, 0},
    {"min-sqnr", 0, OPTION_REAL, "DB", "exit status 5 when an output's SQNR is less", AT(minimum_sqnr), -1000,
     1000},
    {"min-cos", 0, OPTION_REAL, "C", "exit status 5 when an output's mean cosine is less", AT(minimum_cosine),
     -1, 1},
    {"min-agree", 0, OPTION_REAL, "A",
     "exit status 5 when the share of samples with the same top class is less", AT(minimum_agreement), 0, 1},
    {0}};

static void defaults(void *values) {
    verify_values *v = values;
    v->minimum_sqnr = v->minimum_cosine = v->minimum_agreement = (double)NAN;
}

static onnxq_status run(void *values, char **positional, size_t count, onnxq_error *err) {
    (void)count;
    const verify_values *v = values;
    onnxq_session *session = NULL;
    onnxq_model *reference = NULL, *model = NULL;
    onnxq_data *data = NULL;
    onnxq_report *report = NULL;
    onnxq_verify_options verify_options = onnxq_verify_defaults();
    verify_options.labels = v->labels;
    verify_options.minimum_sqnr = v->minimum_sqnr;
    verify_options.minimum_cosine = v->minimum_cosine;
    verify_options.minimum_agreement = v->minimum_agreement;
    verify_options.limit = v->limit;
    verify_options.emulate = (onnxq_target)v->emulate;
    verify_options.layers = v->layers || v->common.verbose;
    onnxq_status status = terminal_session(&v->common, &session, err);
    if (status == ONNXQ_OK) status = onnxq_model_load(session, positional[0], &reference, err);
    if (status == ONNXQ_OK) status = onnxq_model_load(session, positional[1], &model, err);
    if (status == ONNXQ_OK)
        status = v->data.count ? onnxq_data_open(reference, v->data.items, v->data.count, &data, err)
                               : onnxq_data_default(reference, 0, &data, err);
    if (status == ONNXQ_OK) status = onnxq_verify(reference, model, data, &verify_options, &report, err);
    terminal_end();
    if (report) fputs(v->common.json ? onnxq_report_json(report) : onnxq_report_text(report), stdout);
    if (report && v->common.json) putchar('\n');
    onnxq_report_free(report);
    onnxq_data_free(data);
    onnxq_model_free(model);
    onnxq_model_free(reference);
    onnxq_session_free(session);
    return status;
}

const command verify_command = {
    .name = "verify",
    .usage = "FLOAT.onnx QUANTIZED.onnx [--data SRC]... [OPTION]...",
    .summary = "compare a quantized model with its original on samples",
    .options = options,
    .positional_least = 2,
    .positional_most = 2,
    .values_size = sizeof(verify_values),
    .defaults = defaults,
    .run = run,
};
