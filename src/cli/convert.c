// onnxq convert: float model and samples in, verified quantized model out.
#include "cli/command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct convert_values {
    common_values common;
    text_list data, include, exclude, ops;
    size_t bits, weight_bits, activation_bits, verify_samples;
    int per_channel, per_tensor, format, mode, method, weight_type, activation_type, symmetric,
        weight_asymmetric;
    int strict, external_data, no_correct;
    double percentile;
    const char *statistics;
} convert_values;

#define AT(member) offsetof(convert_values, member)

static const option options[] = {
    {"data", 0, OPTION_TEXTS, "SRC",
     "calibration samples: FILE.npz, FILE.npy, NAME=FILE.npy or a folder; may be repeated", AT(data), 0, 0},
    {"statistics", 0, OPTION_TEXT, "FILE",
     "ranges from 'onnxq calibrate' instead of running the samples again", AT(statistics), 0, 0},
    {"bits", 0, OPTION_COUNT, "N",
     "width of weights and activations (8, the default, is the only one so far)", AT(bits), 8, 8},
    {"weight-bits", 0, OPTION_COUNT, "N", "width of weights only", AT(weight_bits), 8, 8},
    {"activation-bits", 0, OPTION_COUNT, "N", "width of activations only", AT(activation_bits), 8, 8},
    {"per-channel", 0, OPTION_FLAG, NULL, "one weight scale per output channel (the default)",
     AT(per_channel), 0, 0},
    {"per-tensor", 0, OPTION_FLAG, NULL, "one weight scale per tensor", AT(per_tensor), 0, 0},
    {"format", 0, OPTION_CHOICE, "qoperator|qdq",
     "integer operators (the default), or QuantizeLinear/DequantizeLinear pairs that the runtime fuses",
     AT(format), 0, 0},
    {"mode", 0, OPTION_CHOICE, "static", "static: activation ranges are fixed by calibration", AT(mode), 0,
     0},
    {"method", 0, OPTION_CHOICE, "auto|minmax|percentile|entropy|mse",
     "how ranges are taken from statistics (default: auto, which cuts clear outliers only)", AT(method), 0,
     0},
    {"percentile", 0, OPTION_REAL, "P",
     "for --method percentile: share of values kept, in percent (default: 99.99)", AT(percentile), 50, 100},
    {"weight-type", 0, OPTION_CHOICE, "int8|uint8", "type of weights (default: int8)", AT(weight_type), 0, 0},
    {"activation-type", 0, OPTION_CHOICE, "uint8|int8", "type of activations (default: uint8)",
     AT(activation_type), 0, 0},
    {"symmetric", 0, OPTION_FLAG, NULL, "activation ranges symmetric around zero", AT(symmetric), 0, 0},
    {"weight-asymmetric", 0, OPTION_FLAG, NULL, "weights with a zero point of their own",
     AT(weight_asymmetric), 0, 0},
    {"include", 0, OPTION_TEXTS, "GLOB",
     "quantize only nodes whose name or operator matches; may be repeated", AT(include), 0, 0},
    {"exclude", 0, OPTION_TEXTS, "GLOB", "leave nodes float whose name or operator matches; may be repeated",
     AT(exclude), 0, 0},
    {"ops", 0, OPTION_WORDS, "A,B,..", "quantize only these operators", AT(ops), 0, 0},
    {"no-correct", 0, OPTION_FLAG, NULL,
     "leave biases as they are (by default they make up for the mean error of each channel, where that "
     "helps)",
     AT(no_correct), 0, 0},
    {"verify-samples", 0, OPTION_COUNT, "N",
     "compare at the end on at most N samples (default: 32; 0: not at all)", AT(verify_samples), 0, 1e9},
    {"external-data", 0, OPTION_FLAG, NULL, "weights into a data file beside the model", AT(external_data), 0,
     0},
    CACHE_OPTIONS(convert_values, common),
    {"strict", 0, OPTION_FLAG, NULL, "fail rather than calibrate on made-up samples", AT(strict), 0, 0},
    {0}};

static void defaults(void *values) {
    convert_values *v = values;
    v->bits = 8;
    v->percentile = 99.99;
    v->verify_samples = onnxq_convert_defaults().verify_samples;
}

static onnxq_convert_options options_of(const convert_values *v) {
    onnxq_convert_options o = onnxq_convert_defaults();
    o.format = (onnxq_format)v->format;
    o.weight_bits = (int)(v->weight_bits ? v->weight_bits : v->bits);
    o.activation_bits = (int)(v->activation_bits ? v->activation_bits : v->bits);
    o.per_tensor = v->per_tensor;
    o.weight_type = v->weight_type ? ONNXQ_UINT8 : ONNXQ_INT8;
    o.activation_type = v->activation_type ? ONNXQ_INT8 : ONNXQ_UINT8;
    o.activation_symmetric = v->symmetric;
    o.weight_asymmetric = v->weight_asymmetric;
    o.method = (onnxq_method)v->method;
    o.percentile = v->percentile;
    o.include = v->include.items;
    o.include_count = v->include.count;
    o.exclude = v->exclude.items;
    o.exclude_count = v->exclude.count;
    o.op_types = v->ops.items;
    o.op_type_count = v->ops.count;
    o.verify_samples = v->verify_samples;
    o.no_correction = v->no_correct;
    return o;
}

static onnxq_status open_data(const convert_values *v, onnxq_model *model, onnxq_data **data,
                              onnxq_error *err) {
    if (v->data.count) return onnxq_data_open(model, v->data.items, v->data.count, data, err);
    if (v->statistics) return ONNXQ_OK;
    return onnxq_data_default(model, v->strict, data, err);
}

static onnxq_status convert(const convert_values *v, onnxq_session *session, const char *in, const char *out,
                            onnxq_error *err) {
    onnxq_model *model = NULL, *quantized = NULL;
    onnxq_data *data = NULL;
    onnxq_statistics *statistics = NULL;
    onnxq_report *report = NULL;
    const onnxq_convert_options convert_options = options_of(v);
    const onnxq_save_options save_options = {.external_data = v->external_data};
    onnxq_status status = onnxq_model_load(session, in, &model, err);
    if (status == ONNXQ_OK) status = open_data(v, model, &data, err);
    if (status == ONNXQ_OK && v->statistics)
        status = onnxq_statistics_load(session, v->statistics, &statistics, err);
    if (status == ONNXQ_OK)
        status = onnxq_convert(model, statistics, data, &convert_options, &quantized, &report, err);
    if (status == ONNXQ_OK) status = onnxq_model_save(quantized, out, &save_options, err);
    if (status == ONNXQ_OK && v->common.json)
        puts(onnxq_report_json(report));
    else if (status == ONNXQ_OK && !v->common.quiet)
        fputs(onnxq_report_text(report), stderr);
    onnxq_report_free(report);
    onnxq_statistics_free(statistics);
    onnxq_data_free(data);
    onnxq_model_free(quantized);
    onnxq_model_free(model);
    return status;
}

static onnxq_status run(void *values, char **positional, size_t count, onnxq_error *err) {
    (void)count;
    const convert_values *v = values;
    if (v->per_channel && v->per_tensor) {
        snprintf(err->message, sizeof err->message,
                 "--per-channel and --per-tensor exclude each other: give one of them");
        return ONNXQ_USAGE;
    }
    onnxq_session *session = NULL;
    onnxq_status status = terminal_session(&v->common, &session, err);
    if (status == ONNXQ_OK) status = convert(v, session, positional[0], positional[1], err);
    onnxq_session_free(session);
    return status;
}

const command convert_command = {
    .name = "convert",
    .usage = "IN.onnx OUT.onnx [--data SRC]... [OPTION]...",
    .summary = "quantize a model and measure what it costs",
    .details = "Reads a float model, runs calibration samples through it, writes a quantized model of "
               "standard ONNX operators, "
               "and compares both on the samples. Without --data, test_data_set_* folders beside the model "
               "are used, or else "
               "made-up samples, which is announced.",
    .options = options,
    .positional_least = 2,
    .positional_most = 2,
    .values_size = sizeof(convert_values),
    .defaults = defaults,
    .run = run,
};
