// onnxq tensor: one array quantized, with everything that there is to see.
#include "cli/command.h"

#include <limits.h>

typedef struct tensor_values {
    common_values common;
    size_t bits, group_size;
    int axis, zero_point; // INT_MIN: not given
    int symmetric, is_unsigned, full_range, method, activation;
    double scale, percentile;
    const char *output;
} tensor_values;

#define AT(member) offsetof(tensor_values, member)

static const option options[] = {
    {"bits", 0, OPTION_COUNT, "N", "width of the integers (default: 8)", AT(bits), 2, 16},
    {"axis", 0, OPTION_INTEGER, "A",
     "one scale per index of this axis; with --group-size: the axis of the groups (default there: -1, the "
     "last)",
     AT(axis), -16, 15},
    {"group-size", 0, OPTION_COUNT, "G",
     "one scale per G neighbours along the axis; the last group may be shorter", AT(group_size), 1, 1e12},
    {"symmetric", 0, OPTION_FLAG, NULL,
     "zero point 0, integers from -(2^(N-1) - 1) up; with --unsigned: zero point 2^(N-1)", AT(symmetric), 0,
     0},
    {"unsigned", 0, OPTION_FLAG, NULL, "integers 0..2^N - 1 (default: -2^(N-1)..2^(N-1) - 1)",
     AT(is_unsigned), 0, 0},
    {"full-range", 0, OPTION_FLAG, NULL, "with --symmetric: integers from -2^(N-1) up", AT(full_range), 0, 0},
    {"scale", 0, OPTION_REAL, "S", "use this scale instead of finding one", AT(scale), 1.17549435e-38,
     3.4028235e38},
    {"zero-point", 0, OPTION_INTEGER, "Z",
     "with --scale: this zero point (default: 0; symmetric unsigned: 2^(N-1))", AT(zero_point), -32768,
     65535},
    {"method", 0, OPTION_CHOICE, "minmax|mse|percentile|entropy|auto",
     "how ranges are found; mse: by the error of the elements themselves, as for weights; the last three: on "
     "a histogram, as for activations (default: minmax)",
     AT(method), 0, 0},
    {"percentile", 0, OPTION_REAL, "P",
     "for --method percentile: share of values kept, in percent (default: 99.99)", AT(percentile), 50, 100},
    {"activation", 0, OPTION_FLAG, NULL, "also --method mse on a histogram, as for activations",
     AT(activation), 0, 0},
    {"output", 'o', OPTION_TEXT, "OUT.npz", "write the arrays integers, dequantized, scale and zero_point",
     AT(output), 0, 0},
    {0}};

static void defaults(void *values) {
    tensor_values *v = values;
    v->bits = 8;
    v->axis = v->zero_point = INT_MIN;
    v->percentile = onnxq_tensor_defaults().percentile;
}

static onnxq_tensor_options options_of(const tensor_values *v) {
    static const onnxq_method methods[] = {ONNXQ_METHOD_MINMAX, ONNXQ_METHOD_MSE, ONNXQ_METHOD_PERCENTILE,
                                           ONNXQ_METHOD_ENTROPY, ONNXQ_METHOD_AUTO};
    onnxq_tensor_options o = onnxq_tensor_defaults();
    o.bits = (int)v->bits;
    o.is_unsigned = v->is_unsigned;
    o.symmetric = v->symmetric;
    o.full_range = v->full_range;
    if (v->axis != INT_MIN) o.granularity = ONNXQ_PER_CHANNEL, o.axis = v->axis;
    if (v->group_size) o.granularity = ONNXQ_PER_GROUP, o.group_size = (int64_t)v->group_size;
    o.scale = v->scale;
    o.zero_point = v->zero_point != INT_MIN         ? v->zero_point
                   : v->symmetric && v->is_unsigned ? 1 << (v->bits - 1)
                                                    : 0;
    o.method = methods[v->method];
    o.percentile = v->percentile;
    o.as_an_activation = v->activation;
    return o;
}

static onnxq_status run(void *values, char **positional, size_t count, onnxq_error *err) {
    (void)count;
    const tensor_values *v = values;
    onnxq_session *session = NULL;
    onnxq_tensor *tensor = NULL;
    onnxq_report *report = NULL;
    const onnxq_tensor_options tensor_options = options_of(v);
    if (v->zero_point != INT_MIN && v->scale == 0) {
        snprintf(err->message, sizeof err->message, "--zero-point belongs to a given scale: add --scale S");
        return ONNXQ_USAGE;
    }
    onnxq_status status = terminal_session(&v->common, &session, err);
    if (status == ONNXQ_OK)
        status = onnxq_tensor_quantize_file(session, positional[0], &tensor_options, &tensor, err);
    if (status == ONNXQ_OK && v->output) status = onnxq_tensor_save(tensor, v->output, err);
    // Text shows the first elements; so they are all that has to be made unless JSON is asked for.
    if (status == ONNXQ_OK) status = onnxq_tensor_report(tensor, v->common.json ? 0 : 64, &report, err);
    if (status == ONNXQ_OK && v->common.json)
        puts(onnxq_report_json(report));
    else if (status == ONNXQ_OK && !v->common.quiet)
        fputs(onnxq_report_text(report), stdout);
    onnxq_report_free(report);
    onnxq_tensor_free(tensor);
    onnxq_session_free(session);
    return status;
}

const command tensor_command = {
    .name = "tensor",
    .usage = "T.npy [--bits N] [--axis A | --group-size G [--axis A]] [OPTION]...",
    .summary = "quantize one array: scale, zero point, integers, error",
    .details =
        "Quantizes an array of floats or integers with the arithmetic of 'convert' and shows scales, zero "
        "points, integers, the values that they stand for, the error, and how often the integers occur.",
    .options = options,
    .positional_least = 1,
    .positional_most = 1,
    .values_size = sizeof(tensor_values),
    .defaults = defaults,
    .run = run,
};
