// onnxq convert: float model and samples in, verified quantized model out.
#include "cli/convert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(convert_values, member)

const option convert_shared_options[] = {
    {"data", 0, OPTION_TEXTS, "SRC",
     "calibration samples: FILE.npz, FILE.npy, NAME=FILE.npy or a folder; may be repeated", AT(data), 0, 0},
    {"statistics", 0, OPTION_TEXT, "FILE",
     "ranges from 'onnxq calibrate' instead of running the samples again, or a text of lines TENSOR LOW HIGH",
     AT(statistics), 0, 0},
    INPUT_RANGE_OPTION(AT(input_ranges)),
    {"layer", 0, OPTION_TEXTS, "GLOB=W",
     "widths of the layers whose name (or operator: op:GLOB) matches: w4a8, w4, a16 or float; may be "
     "repeated, the last that matches counts",
     AT(layers), 0, 0},
    {"per-channel", 0, OPTION_FLAG, NULL, "one weight scale per output channel (the default)",
     AT(per_channel), 0, 0},
    {"per-tensor", 0, OPTION_FLAG, NULL, "one weight scale per tensor", AT(per_tensor), 0, 0},
    {"group-size", 0, OPTION_COUNT, "N",
     "one weight scale per N neighbours along the sum (16 to 128 are usual): with --format qdq or --mode "
     "weight-only, as integer operators have one scale for each sum",
     AT(group_size), 1, 1e9},
    {"embeddings", 0, OPTION_CHOICE, "auto|8|4|2|float",
     "width of the rows of tables that Gather looks up (auto: 8, where that loses next to nothing or "
     "--mode is weight-only)",
     AT(embeddings), 0, 0},
    {"format", 0, OPTION_CHOICE, "qoperator|qdq",
     "integer operators (the default), or QuantizeLinear/DequantizeLinear pairs that the runtime fuses",
     AT(format), 0, 0},
    {"target", 0, OPTION_CHOICE, "any|x86-avx2",
     "x86-avx2: weights that stay right in kernels without VNNI, which add pairs of products in 16 bits that "
     "saturate",
     AT(target), 0, 0},
    {"mode", 0, OPTION_CHOICE, "static|weight-only|dynamic",
     "static: integers compute, with activation ranges fixed by calibration (the default); weight-only: "
     "weights become integers and are dequantized in front of the layer, which needs no data; dynamic: "
     "matrix products on integers, with activation ranges found at run time, which needs no data "
     "(convolutions only where --ops or --include name them)",
     AT(mode), 0, 0},
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
    {"no-guards", 0, OPTION_FLAG, NULL,
     "quantize also products of two activations (as in attention), which gain neither time nor memory by it, "
     "and "
     "the last layers of detectors and inputs of a Concat far apart in range, which lose much",
     AT(no_guards), 0, 0},
    {"search", 0, OPTION_CHOICE, "error|hqq",
     "how scales and zero points of weights below 8 bits are found where no samples say more: least error "
     "(default), or half-quadratic behind that, where it lowers the error",
     AT(search), 0, 0},
    {"rounding", 0, OPTION_CHOICE, "gram|nearest|gptq|adaround",
     "how weights become integers (default: gram, which looks at the samples for those whose products differ "
     "least from the float model's)",
     AT(rounding), 0, 0},
    {"float-functions", 0, OPTION_FLAG, NULL,
     "compute in float what stands between convolutions: HardSwish, SiLU, gates, sums and averages (by "
     "default "
     "they are computed on 8-bit integers)",
     AT(float_functions), 0, 0},
    {"no-split", 0, OPTION_FLAG, NULL,
     "with --per-tensor: keep every layer whole (by default a convolution whose rows differ much in size "
     "becomes a few, each of rows of one size, where no option names layers)",
     AT(no_split), 0, 0},
    {"no-zero-channels", 0, OPTION_FLAG, NULL,
     "add no zero channels around convolutions of integers (by default they make the channels a multiple of "
     "16 or 4, which runtimes are faster with; results are the same)",
     AT(no_zero_channels), 0, 0},
    CACHE_OPTIONS(convert_values, common),
    {"strict", 0, OPTION_FLAG, NULL, "fail rather than calibrate on made-up samples", AT(strict), 0, 0},
    {0}};

static const option options[] = {
    {"bits", 0, OPTION_COUNT, "N", "width of weights and activations, 2 to 16 (default: 8)", AT(bits), 2, 16},
    {"weight-bits", 0, OPTION_COUNT, "N", "width of weights only", AT(weight_bits), 2, 16},
    {"activation-bits", 0, OPTION_COUNT, "N", "width of activations only", AT(activation_bits), 2, 16},
    {"max-drop", 0, OPTION_TEXT, "METRIC=VALUE",
     "give the layers that cost most 16 bits, or leave them float, until the outputs keep sqnr=DB, cos=C, "
     "agree=SHARE or (with "
     "--labels) lose no more than accuracy=POINTS, on samples held out; exit status 5 and no file when that "
     "cannot be",
     AT(max_drop), 0, 0},
    {"fallback", 0, OPTION_CHOICE, "16|float",
     "for --max-drop: what layers that cost too much become; 16 bits where the format is qdq and that is "
     "enough (the default), or float at once, which runtimes compute faster",
     AT(fallback), 0, 0},
    {"labels", 0, OPTION_TEXT, "FILE.npy", "for --max-drop accuracy: the right class of each sample",
     AT(labels), 0, 0},
    {"target-size", 0, OPTION_TEXT, "SIZE",
     "a file of at most SIZE (900kB, 10MB, 1.5MiB): layers whose loss, measured, grows least per bit get "
     "fewer bits of weights, 8, 4 or 2; exit status 5 and no file when that cannot be",
     AT(target_size), 0, 0},
    {"target-bits", 0, OPTION_REAL, "B", "weights of at most B bits in the mean, chosen in the same way",
     AT(target_bits), 2, 16},
    {"best-effort", 0, OPTION_FLAG, NULL,
     "write the best that was found also when --max-drop or a target cannot be held (exit status 5 all the "
     "same)",
     AT(best_effort), 0, 0},
    {"verify-samples", 0, OPTION_COUNT, "N",
     "compare at the end on at most N samples (default: 32; 0: not at all)", AT(verify_samples), 0, 1e9},
    {"dequantize", 0, OPTION_FLAG, NULL,
     "of a model that is quantized: the float model back, with the weights that its integers stand for",
     AT(dequantize), 0, 0},
    {"external-data", 0, OPTION_FLAG, NULL, "weights into a data file beside the model", AT(external_data), 0,
     0},
    {"report", 0, OPTION_TEXT, "FILE.html",
     "also write the report as one HTML page: layers with fate and reason, where the error arises, ranges",
     AT(report), 0, 0},
    {0}};

void convert_defaults(void *values) {
    convert_values *v = values;
    v->bits = 8;
    v->percentile = 99.99;
    v->verify_samples = onnxq_convert_defaults().verify_samples;
}

onnxq_status convert_check(const convert_values *v, onnxq_error *err) {
    if (!v->per_channel || !v->per_tensor) return ONNXQ_OK;
    snprintf(err->message, sizeof err->message,
             "--per-channel and --per-tensor exclude each other: give one of them");
    return ONNXQ_USAGE;
}

// "sqnr=30" and the like; the values that make sense are those between the two limits.
static onnxq_status parse_drop(const char *text, onnxq_convert_options *o, onnxq_error *err) {
    static const struct {
        const char *name;
        onnxq_metric metric;
        double low, high;
    } metrics[] = {{"sqnr", ONNXQ_METRIC_SQNR, -1000, 1000},
                   {"cos", ONNXQ_METRIC_COSINE, -1, 1},
                   {"agree", ONNXQ_METRIC_AGREEMENT, 0, 1},
                   {"accuracy", ONNXQ_METRIC_ACCURACY, 0, 100}};
    const char *equals = text ? strchr(text, '=') : NULL;
    if (!text) return ONNXQ_OK;
    for (size_t i = 0; equals && i < sizeof metrics / sizeof *metrics; i++) {
        char *end;
        const double value = strtod(equals + 1, &end);
        if (strlen(metrics[i].name) != (size_t)(equals - text) ||
            strncmp(text, metrics[i].name, (size_t)(equals - text)) != 0)
            continue;
        if (end == equals + 1 || *end || !(value >= metrics[i].low && value <= metrics[i].high)) {
            snprintf(err->message, sizeof err->message, "--max-drop %s: '%s' is no number from %g to %g",
                     metrics[i].name, equals + 1, metrics[i].low, metrics[i].high);
            return ONNXQ_USAGE;
        }
        o->metric = metrics[i].metric;
        o->budget = value;
        return ONNXQ_OK;
    }
    snprintf(err->message, sizeof err->message,
             "--max-drop must be sqnr=DB, cos=C, agree=SHARE or accuracy=POINTS, not '%s'", text);
    return ONNXQ_USAGE;
}

// "10MB" and the like.
static onnxq_status parse_size(const char *text, double *bytes, onnxq_error *err) {
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"B", 1},
                 {"kB", 1e3},
                 {"MB", 1e6},
                 {"GB", 1e9},
                 {"KiB", 1024},
                 {"MiB", 1024 * 1024},
                 {"GiB", 1024. * 1024 * 1024}};
    char *end = NULL;
    if (!text) return ONNXQ_OK;
    const double number = strtod(text, &end);
    for (size_t i = 0; end != text && i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].name) != 0 || !(number > 0) || isinf(number)) continue;
        *bytes = number * units[i].bytes;
        return ONNXQ_OK;
    }
    snprintf(err->message, sizeof err->message,
             "--target-size takes a number with B, kB, MB, GB, KiB, MiB or GiB (10MB), not '%s'", text);
    return ONNXQ_USAGE;
}

// A number behind a letter, or 0 when the text does not go on with that letter.
static int read_bits(const char **at, char letter) {
    if (**at != letter) return 0;
    char *end;
    const long bits = strtol(*at + 1, &end, 10);
    if (end == *at + 1 || bits < 2 || bits > 16) return 0;
    *at = end;
    return (int)bits;
}

// "GLOB=w4a8"; the text is cut at the last '='.
static onnxq_status parse_layer(char *text, onnxq_layer_choice *out, onnxq_error *err) {
    char *equals = strrchr(text, '=');
    const char *at = equals ? equals + 1 : "";
    *out = (onnxq_layer_choice){.glob = text, .leave_float = !strcmp(at, "float")};
    if (!out->leave_float) {
        out->weight_bits = read_bits(&at, 'w');
        out->activation_bits = read_bits(&at, 'a');
    }
    if (out->leave_float || (!*at && out->weight_bits + out->activation_bits)) {
        *equals = 0;
        return ONNXQ_OK;
    }
    snprintf(err->message, sizeof err->message,
             "--layer takes GLOB=float or GLOB=w<bits>a<bits> with 2 to 16 bits (w4a8, w4, a16), not '%s'",
             text);
    return ONNXQ_USAGE;
}

onnxq_status convert_layers(const text_list *texts, onnxq_layer_choice **out, onnxq_error *err) {
    *out = calloc(texts->count + 1, sizeof **out);
    onnxq_status status = *out ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (!*out) snprintf(err->message, sizeof err->message, "out of memory while reading the command line");
    for (size_t i = 0; status == ONNXQ_OK && i < texts->count; i++)
        status = parse_layer((char *)(uintptr_t)texts->items[i], &(*out)[i], err);
    return status;
}

onnxq_convert_options convert_options_of(const convert_values *v) {
    onnxq_convert_options o = onnxq_convert_defaults();
    o.labels = v->labels;
    o.mode = (onnxq_mode)v->mode;
    o.format = (onnxq_format)v->format;
    o.target = (onnxq_target)v->target;
    o.weight_bits = (int)(v->weight_bits ? v->weight_bits : v->bits);
    o.activation_bits = (int)(v->activation_bits ? v->activation_bits : v->bits);
    o.per_tensor = v->per_tensor;
    o.group_size = (int64_t)v->group_size;
    o.embedding_bits = (int[]){0, 8, 4, 2, -1}[v->embeddings];
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
    o.page = v->report != NULL;
    o.no_correction = v->no_correct;
    o.no_split = v->no_split;
    o.float_functions = v->float_functions;
    o.no_zero_channels = v->no_zero_channels;
    o.no_guards = v->no_guards;
    o.dequantize = v->dequantize;
    o.rounding = (onnxq_rounding)v->rounding;
    o.search = (onnxq_search)v->search;
    return o;
}

onnxq_status convert_open_data(const convert_values *v, onnxq_model *model, onnxq_data **data,
                               onnxq_error *err) {
    const onnxq_status status = command_input_ranges(&v->input_ranges, model, err);
    if (status != ONNXQ_OK) return status;
    if (v->data.count) return onnxq_data_open(model, v->data.items, v->data.count, data, err);
    if (v->statistics || v->mode != ONNXQ_MODE_STATIC || v->dequantize || onnxq_model_is_quantized(model))
        return ONNXQ_OK;
    return onnxq_data_default(model, v->strict, data, err);
}

static void show(const convert_values *v, const onnxq_report *report) {
    terminal_end();
    if (v->common.json)
        puts(onnxq_report_json(report));
    else if (!v->common.quiet)
        fputs(onnxq_report_text(report), stderr);
}

static onnxq_status convert(const convert_values *v, onnxq_session *session, const char *in, const char *out,
                            onnxq_error *err) {
    onnxq_model *model = NULL, *quantized = NULL;
    onnxq_data *data = NULL;
    onnxq_statistics *statistics = NULL;
    onnxq_report *report = NULL;
    onnxq_layer_choice *layers = NULL;
    onnxq_convert_options convert_options = convert_options_of(v);
    const onnxq_save_options save_options = {.external_data = v->external_data};
    convert_options.target_bits = v->target_bits;
    convert_options.float_fallback = v->fallback;
    onnxq_status status = parse_drop(v->max_drop, &convert_options, err);
    if (status == ONNXQ_OK) status = parse_size(v->target_size, &convert_options.target_bytes, err);
    if (status == ONNXQ_OK) status = convert_layers(&v->layers, &layers, err);
    convert_options.layers = layers;
    convert_options.layer_count = v->layers.count;
    if (status == ONNXQ_OK) status = onnxq_model_load(session, in, &model, err);
    if (status == ONNXQ_OK) status = convert_open_data(v, model, &data, err);
    if (status == ONNXQ_OK && v->statistics)
        status = onnxq_statistics_load(session, v->statistics, &statistics, err);
    if (status == ONNXQ_OK)
        status = onnxq_convert(model, statistics, data, &convert_options, &quantized, &report, err);
    if (status == ONNXQ_OK || (status == ONNXQ_ACCURACY && v->best_effort)) {
        const onnxq_status saved = onnxq_model_save(quantized, out, &save_options, err);
        if (saved != ONNXQ_OK) status = saved;
    }
    if ((status == ONNXQ_OK || status == ONNXQ_ACCURACY) && v->report) {
        const onnxq_status saved = onnxq_report_save(report, ONNXQ_REPORT_PAGE, v->report, err);
        if (saved != ONNXQ_OK) status = saved;
    }
    if (status == ONNXQ_OK || status == ONNXQ_ACCURACY) show(v, report);
    onnxq_report_free(report);
    onnxq_statistics_free(statistics);
    onnxq_data_free(data);
    onnxq_model_free(quantized);
    onnxq_model_free(model);
    free(layers);
    return status;
}

static onnxq_status run(void *values, char **positional, size_t count, onnxq_error *err) {
    (void)count;
    const convert_values *v = values;
    const char *ending = v->report ? strrchr(v->report, '.') : ".html";
    if (!ending || strcmp(ending, ".html") != 0) {
        snprintf(err->message, sizeof err->message,
                 "--report writes a page: give a name that ends in .html, not '%s' (--json prints JSON)",
                 v->report);
        return ONNXQ_USAGE;
    }
    onnxq_session *session = NULL;
    onnxq_status status = convert_check(v, err);
    if (status == ONNXQ_OK) status = terminal_session(&v->common, &session, err);
    if (status == ONNXQ_OK) status = convert(v, session, positional[0], positional[1], err);
    onnxq_session_free(session);
    return status;
}

const command convert_command = {
    .name = "convert",
    .usage = "IN.onnx OUT.onnx [--data SRC]... [OPTION]...",
    .summary = "quantize a model and measure what it costs",
    .details =
        "Reads a float model, runs calibration samples through it, writes a quantized model of "
        "standard ONNX operators, "
        "and compares both on the samples. Without --data, test_data_set_* folders beside the model "
        "are used, or else "
        "made-up samples, which is announced. A model that is quantized already keeps its parameters and "
        "gets the form that --format names, without data.",
    .options = options,
    .shared = convert_shared_options,
    .positional_least = 2,
    .positional_most = 2,
    .values_size = sizeof(convert_values),
    .defaults = convert_defaults,
    .run = run,
};
