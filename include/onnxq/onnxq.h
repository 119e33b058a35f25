// onnxq: post-training quantization of ONNX models in C. The only public header.
//
// Section 1 (below) is what every part of the library shares: status, error, data types. The sections that
// follow go from simple to advanced: session, model, data, statistics, convert, verify, run, inspect, tensor.
//
// Conventions. Every function that can fail returns an onnxq_status and takes, as last parameter, an
// onnxq_error * that may be NULL. Objects are created by ..._new, _open, _load, _make and ended by ..._free,
// which accepts NULL. Strings are UTF-8. The library never prints, never exits, keeps no global state;
// objects may be used from any one thread at a time.
#ifndef ONNXQ_H
#define ONNXQ_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ONNXQ_VERSION_MAJOR 0
#define ONNXQ_VERSION_MINOR 1
#define ONNXQ_VERSION_PATCH 0

// ---------------------------------------------------------------------------------------------------------------------
// 1. Status, error, data types

// X(name, exit status of the command, meaning)
#define ONNXQ_STATUS_LIST(X)                                                                                 \
    X(OK, 0, "success")                                                                                      \
    X(NO_MEMORY, 1, "out of memory, or over the memory budget")                                              \
    X(IO, 1, "a file could not be read or written")                                                          \
    X(INTERNAL, 1, "a mistake of onnxq itself")                                                              \
    X(USAGE, 2, "wrong use of the command or of a function")                                                 \
    X(BAD_MODEL, 3, "the model is damaged or breaks the ONNX standard")                                      \
    X(BAD_DATA, 3, "the data do not fit the model, or are not numbers")                                      \
    X(UNSUPPORTED, 4, "the model is valid but needs something that onnxq does not have")                     \
    X(ACCURACY, 5, "the result is less accurate than was asked for")

typedef enum onnxq_status {
#define ONNXQ_STATUS_ENUM(name, exit, meaning) ONNXQ_##name,
    ONNXQ_STATUS_LIST(ONNXQ_STATUS_ENUM)
#undef ONNXQ_STATUS_ENUM
} onnxq_status;

// What went wrong, owned by the caller; zero-initialise before first use. Texts are NUL-terminated and cut at
// their size.
typedef struct onnxq_error {
    onnxq_status status;
    char message[768]; // one sentence that names the place and the remedy
    char file[256];    // the file concerned, or ""
    char node[256];    // the node concerned, or ""
    char op_type[64];  // its operator, or ""
    char tensor[256];  // the tensor concerned, or ""
    uint64_t offset;   // byte offset in `file` where known, else 0
} onnxq_error;

// ONNX's own numbers (TensorProto.DataType). X(NAME, number, bits per element, text)
#define ONNXQ_DTYPE_LIST(X)                                                                                  \
    X(FLOAT, 1, 32, "float32")                                                                               \
    X(UINT8, 2, 8, "uint8")                                                                                  \
    X(INT8, 3, 8, "int8")                                                                                    \
    X(UINT16, 4, 16, "uint16")                                                                               \
    X(INT16, 5, 16, "int16")                                                                                 \
    X(INT32, 6, 32, "int32")                                                                                 \
    X(INT64, 7, 64, "int64")                                                                                 \
    X(STRING, 8, 0, "string")                                                                                \
    X(BOOL, 9, 8, "bool")                                                                                    \
    X(FLOAT16, 10, 16, "float16")                                                                            \
    X(DOUBLE, 11, 64, "float64")                                                                             \
    X(UINT32, 12, 32, "uint32")                                                                              \
    X(UINT64, 13, 64, "uint64")                                                                              \
    X(COMPLEX64, 14, 64, "complex64")                                                                        \
    X(COMPLEX128, 15, 128, "complex128")                                                                     \
    X(BFLOAT16, 16, 16, "bfloat16")                                                                          \
    X(FLOAT8E4M3FN, 17, 8, "float8e4m3fn")                                                                   \
    X(FLOAT8E4M3FNUZ, 18, 8, "float8e4m3fnuz")                                                               \
    X(FLOAT8E5M2, 19, 8, "float8e5m2")                                                                       \
    X(FLOAT8E5M2FNUZ, 20, 8, "float8e5m2fnuz")                                                               \
    X(UINT4, 21, 4, "uint4")                                                                                 \
    X(INT4, 22, 4, "int4")                                                                                   \
    X(FLOAT4E2M1, 23, 4, "float4e2m1")                                                                       \
    X(FLOAT8E8M0, 24, 8, "float8e8m0")                                                                       \
    X(UINT2, 25, 2, "uint2")                                                                                 \
    X(INT2, 26, 2, "int2")                                                                                   \
    X(FLOAT6E2M3, 27, 6, "float6e2m3")                                                                       \
    X(FLOAT6E3M2, 28, 6, "float6e3m2")

typedef enum onnxq_dtype {
    ONNXQ_UNDEFINED = 0,
#define ONNXQ_DTYPE_ENUM(name, number, bits, text) ONNXQ_##name = (number),
    ONNXQ_DTYPE_LIST(ONNXQ_DTYPE_ENUM)
#undef ONNXQ_DTYPE_ENUM
        ONNXQ_DTYPE_COUNT = 29
} onnxq_dtype;

// "0.1.0"
const char *onnxq_version(void);
// The name of a status ("BAD_MODEL"), its meaning, and the exit status that the command gives for it.
const char *onnxq_status_name(onnxq_status status);
const char *onnxq_status_meaning(onnxq_status status);
int onnxq_status_exit(onnxq_status status);
// "float32", "int8", ...; "undefined" for other numbers.
const char *onnxq_dtype_name(onnxq_dtype dtype);

// The candidate that `word` was probably meant to be, by edit distance, or NULL when none is near.
const char *onnxq_nearest_word(const char *word, const char *const *candidates, size_t count);

// ---------------------------------------------------------------------------------------------------------------------
// 2. Session: threads, memory, and where progress goes

typedef struct onnxq_session onnxq_session;

typedef struct onnxq_session_options {
    size_t threads;       // 0 = as many as this process may use; results do not depend on it
    size_t memory_budget; // bytes that the library may hold at a time; 0 = no limit
    // Folder in which statistics of activations are kept, so that the next conversion of the same model over
    // the same data need not run it; made when it is not there, the oldest are removed beyond 256 MiB. A
    // cache that cannot be read or written is a note, never an error. NULL: none.
    const char *cache;
    void *self; // handed to the functions below
    // Long work tells how far it is; called from one thread at a time; may be NULL.
    void (*progress)(void *self, const char *stage, size_t done, size_t total);
    // A sentence that the user must see although nothing failed (made-up calibration data, ...); may be NULL.
    void (*note)(void *self, const char *sentence);
} onnxq_session_options;

// NULL options: defaults. Everything made from a session must be freed before it.
onnxq_status onnxq_session_new(const onnxq_session_options *options, onnxq_session **out, onnxq_error *err);
void onnxq_session_free(onnxq_session *session);
// Most bytes that the session held at a time so far.
size_t onnxq_session_peak_memory(const onnxq_session *session);

// Text that belongs to the caller, from functions that say so.
void onnxq_text_free(onnxq_session *session, char *text);

// ---------------------------------------------------------------------------------------------------------------------
// 3. Models

typedef struct onnxq_model onnxq_model;

// Reads a model file and checks it: structure, operators' schemas, shapes. Weights stay in the file until
// needed, so the file must stay there while the model lives. Errors: IO, BAD_MODEL, UNSUPPORTED.
onnxq_status onnxq_model_load(onnxq_session *session, const char *path, onnxq_model **out, onnxq_error *err);

typedef struct onnxq_save_options {
    int external_data; // large weights into a data file beside the model also below 2 GiB
} onnxq_save_options;

// Writes the model whole or not at all; `path` may be the file that it was read from. NULL options: defaults.
onnxq_status onnxq_model_save(const onnxq_model *model, const char *path, const onnxq_save_options *options,
                              onnxq_error *err);
// True when the model holds operators that make, take or compute on quantized integers: onnxq_convert then
// keeps their parameters and needs no data.
int onnxq_model_is_quantized(const onnxq_model *model);
void onnxq_model_free(onnxq_model *model);
// The graph as readable text, one line a node; the caller frees it.
onnxq_status onnxq_model_print(const onnxq_model *model, char **text, onnxq_error *err);

// ---------------------------------------------------------------------------------------------------------------------
// 4. Samples

typedef struct onnxq_data onnxq_data;

// The numbers that an input can have, as one knows them: `name` NULL for the only input. Its grid covers just
// this range when the model is converted, made-up samples lie in it, and ranges of what is computed follow
// from it where samples do not tell more. Before the data are opened. Errors: USAGE.
onnxq_status onnxq_model_set_input_range(onnxq_model *model, const char *name, double low, double high,
                                         onnxq_error *err);
// Opens samples for the inputs of `model`. Sources: FILE.npz (first axis = samples), FILE.npy (model with one
// input), NAME=FILE.npy, a folder of .npz or .npy files (one sample each) or of test_data_set_* folders.
// Errors: IO, BAD_DATA.
onnxq_status onnxq_data_open(onnxq_model *model, const char *const *sources, size_t count, onnxq_data **out,
                             onnxq_error *err);
// Without sources: test_data_set_* folders beside the model; else 48 made-up samples, announced through the
// session's `note`, or BAD_DATA when `strict`.
onnxq_status onnxq_data_default(onnxq_model *model, int strict, onnxq_data **out, onnxq_error *err);
size_t onnxq_data_count(const onnxq_data *data);
int onnxq_data_is_synthetic(const onnxq_data *data);
void onnxq_data_free(onnxq_data *data);

// ---------------------------------------------------------------------------------------------------------------------
// 5. Statistics of activations

typedef struct onnxq_statistics onnxq_statistics;

// Runs the samples (at most `limit`; 0 = all) through the model in one pass. The result does not depend on
// threads. NaN or infinity in an activation is BAD_DATA that names tensor and sample.
onnxq_status onnxq_calibrate(onnxq_model *model, const onnxq_data *data, size_t limit, onnxq_statistics **out,
                             onnxq_error *err);
onnxq_status onnxq_statistics_save(const onnxq_statistics *statistics, const char *path, onnxq_error *err);
// Reads such a file, or ranges that somebody wrote: a text of lines `TENSOR LOW HIGH`, with comments behind
// #; a name that holds blanks or begins with # stands in double quotes, in which \" and \\ stand for " and \.
// Such ranges are used as they are, whatever the method. BAD_DATA names the line.
onnxq_status onnxq_statistics_load(onnxq_session *session, const char *path, onnxq_statistics **out,
                                   onnxq_error *err);
// Adds `other`, made from the same model over other samples; the order of merging does not matter. Ranges
// that somebody wrote are BAD_DATA.
onnxq_status onnxq_statistics_merge(onnxq_statistics *into, const onnxq_statistics *other, onnxq_error *err);
// The tensors whose ranges a conversion with default options needs, as such a text with ? for the numbers;
// the caller frees it.
onnxq_status onnxq_model_ranges(onnxq_model *model, char **text, onnxq_error *err);
uint64_t onnxq_statistics_samples(const onnxq_statistics *statistics);
void onnxq_statistics_free(onnxq_statistics *statistics);

// ---------------------------------------------------------------------------------------------------------------------
// 6. Reports: what was found or done, as a table for people and as JSON for programs

typedef struct onnxq_report onnxq_report;

const char *onnxq_report_text(const onnxq_report *report); // lives as long as the report
const char *onnxq_report_json(const onnxq_report *report);
// A picture, for light and dark pages, of reports that have one (onnxq_sweep); else NULL.
const char *onnxq_report_svg(const onnxq_report *report);
typedef enum onnxq_report_form {
    ONNXQ_REPORT_TEXT,
    ONNXQ_REPORT_JSON,
    ONNXQ_REPORT_PAGE, // HTML that needs no other file, when it was asked for (onnxq_convert_options.page)
    ONNXQ_REPORT_PICTURE
} onnxq_report_form;
// Writes the report in one of its forms, whole or not at all. Errors: IO; USAGE for a form that it does not
// have.
onnxq_status onnxq_report_save(const onnxq_report *report, onnxq_report_form form, const char *path,
                               onnxq_error *err);
void onnxq_report_free(onnxq_report *report);

// What is in a model: operators, sizes, multiply-accumulates, dynamic dimensions, what would be quantized.
onnxq_status onnxq_inspect(onnxq_model *model, onnxq_report **out, onnxq_error *err);
// The operator table; Markdown as text.
onnxq_status onnxq_operators(onnxq_session *session, onnxq_report **out, onnxq_error *err);

// ---------------------------------------------------------------------------------------------------------------------
// 7. Convert

typedef enum onnxq_format { ONNXQ_FORMAT_QOPERATOR, ONNXQ_FORMAT_QDQ } onnxq_format;
// What becomes integers.
typedef enum onnxq_mode {
    ONNXQ_MODE_STATIC,      // weights and activations; ranges of activations are fixed by calibration
    ONNXQ_MODE_WEIGHT_ONLY, // weights, behind a DequantizeLinear each; computation stays float; needs no data
    // Weights and the activations that meet them in matrix products, whose ranges are found at run time;
    // needs no data. Convolutions only where `op_types` or `include` name them.
    ONNXQ_MODE_DYNAMIC
} onnxq_mode;
typedef enum onnxq_method {
    ONNXQ_METHOD_AUTO, // per tensor: ONNXQ_METHOD_MSE where that cuts outliers, else ONNXQ_METHOD_MINMAX
    ONNXQ_METHOD_MINMAX,
    ONNXQ_METHOD_PERCENTILE,
    ONNXQ_METHOD_ENTROPY,
    ONNXQ_METHOD_MSE
} onnxq_method;

// How weights become integers.
typedef enum onnxq_rounding {
    // Those whose products differ least from the float model's, by second moments of the inputs: coordinate
    // descent. Needs real samples; layers where others do not confirm it are rounded to nearest.
    ONNXQ_ROUNDING_GRAM,
    ONNXQ_ROUNDING_NEAREST,
    ONNXQ_ROUNDING_GPTQ,    // in place of descent: each weight makes up for those rounded before it
    ONNXQ_ROUNDING_ADAROUND // after descent, where better: up or down for each weight, by gradients; slow
} onnxq_rounding;

// How scales and zero points of weights below 8 bits are found from the weights alone.
typedef enum onnxq_search {
    ONNXQ_SEARCH_ERROR, // the range with the least sum of |w - w^|^2.4
    ONNXQ_SEARCH_HQQ    // behind it, row by row or group by group where that sum falls: half-quadratic
} onnxq_search;

// Machines whose kernels add two uint8 x int8 products in 16 bits, saturating: x86 with AVX2 or AVX-512 and
// without VNNI, in runtimes that use vpmaddubsw.
typedef enum onnxq_target { ONNXQ_TARGET_ANY, ONNXQ_TARGET_X86_AVX2 } onnxq_target;

// What a budget is asked in: the least of an output, on samples held out of calibration's corrections.
typedef enum onnxq_metric {
    ONNXQ_METRIC_NONE,
    ONNXQ_METRIC_SQNR,      // dB against the float model
    ONNXQ_METRIC_COSINE,    // mean cosine with the float model's output
    ONNXQ_METRIC_AGREEMENT, // share of rows with the float model's top class
    ONNXQ_METRIC_ACCURACY   // points of accuracy lost against the float model, with labels
} onnxq_metric;

// What layers take in place of the options' widths; where several match a node the last one counts.
typedef struct onnxq_layer_choice {
    const char *glob;                 // on node names, or on operator types behind "op:"
    int weight_bits, activation_bits; // 0: as the options say
    int leave_float;
} onnxq_layer_choice;

typedef struct onnxq_convert_options {
    onnxq_mode mode;
    onnxq_format format; // of static mode
    onnxq_target target; // X86_AVX2: weights of channels whose pairs could saturate get a larger scale
    // 2 to 16. Integer operators carry up to 8 bits; layers with more are written as QuantizeLinear and
    // DequantizeLinear in either format.
    int weight_bits, activation_bits;
    const onnxq_layer_choice *layers;
    size_t layer_count;
    int per_tensor; // weights in one scale per tensor instead of one per channel
    // Weight-only mode and QDQ format: one scale per so many weights along the sum of each output channel,
    // the last group may be shorter; 0: one per channel. Runtimes with kernels for it want a power of two
    // from 16 on.
    int64_t group_size;
    // Tables that Gather looks rows up in (embeddings): the width of their rows, 2 to 16; -1: float; 0: 8,
    // which in other modes than weight-only are for tables of 65536 elements and more that lose next to
    // nothing by it (35 dB in their rows; where samples tune the model, at most .2 dB at its outputs), and
    // only where weights have no more than 8 bits.
    int embedding_bits;
    onnxq_dtype weight_type;     // ONNXQ_INT8 or ONNXQ_UINT8
    onnxq_dtype activation_type; // ONNXQ_UINT8 or ONNXQ_INT8
    int activation_symmetric;
    int weight_asymmetric;
    onnxq_search search;
    onnxq_method method;
    double percentile;                           // of ONNXQ_METHOD_PERCENTILE, e.g. 99.99
    const char *const *include, *const *exclude; // globs on node names or operator types
    size_t include_count, exclude_count;
    const char *const *op_types; // only these operators; count 0 = all that can be
    size_t op_type_count;
    size_t verify_samples; // the closing comparison runs on at most so many; 0 = none
    int page;              // the report also as a page, with the error of every layer
    int no_correction;     // leave biases as they are, also where changing them makes up for errors
    // Quantize also products of two activations, which gain neither time nor memory by it, what
    // NonMaxSuppression, TopK and box decoding take, and inputs of a Concat on one grid whose ranges differ
    // by more than 16 times.
    int no_guards;
    onnxq_rounding rounding;
    // Compute HardSwish, SiLU, gates, sums and averages between convolutions in float. By default they are
    // computed on integers where all that reads their results takes integers, and activations have 8 bits and
    // zero points.
    int float_functions;
    // With per_tensor: keep every layer whole. By default a convolution whose rows differ much in size
    // becomes a few, each of rows of about one size and with a scale of its own, together with the depthwise
    // convolutions behind it; a Concat joins them, and runtimes take more time. It is not done where
    // `layers`, `include` or a target for the size say something about single layers.
    int no_split;
    // Leave the channels around convolutions of integers as many as they are. By default the file has zero
    // channels that make them a multiple of 16 (depthwise) or 4: runtimes are faster and no result changes.
    int no_zero_channels;
    // Layers that cost most get 16 bits, or stay float where that is not enough or the format is not Q/DQ,
    // until the metric reaches `budget` (accuracy: loses no more). `float_fallback`: to float at once.
    onnxq_metric metric;
    double budget;
    int float_fallback;
    const char *labels; // .npy of integers, one a sample of `data`; for ONNXQ_METRIC_ACCURACY
    int dequantize;     // of a model that is quantized: the float model back
    // Not 0: weights of layers get fewer bits than `weight_bits` where the samples show that it costs least,
    // until the file has at most `target_bytes`, or weights have at most `target_bits` in the mean. One of
    // them, and no metric.
    double target_bytes, target_bits;
} onnxq_convert_options;

onnxq_convert_options onnxq_convert_defaults(void);
// Makes the quantized model. `statistics` may be NULL: then they are collected over `data`. `data` may be
// NULL when there are statistics or the mode needs none: then nothing is compared at the end. A model with a
// node that cannot be run needs statistics in static mode; then nothing is compared either, and biases stay
// as they are. `report` may be NULL. Errors: USAGE, BAD_MODEL, BAD_DATA, UNSUPPORTED; ACCURACY when the
// budget cannot be kept with a single layer quantized, or the target is below what the narrowest widths
// give: then `out` and `report` are the best that was found.
//
// A model that is quantized already keeps every scale, zero point and integer weight, and only gets the other
// format, or is dequantized: of the options, `format`, `dequantize` and `verify_samples` count, others than
// the defaults are USAGE; `statistics` must be NULL, `data` may be.
onnxq_status onnxq_convert(onnxq_model *model, const onnxq_statistics *statistics, const onnxq_data *data,
                           const onnxq_convert_options *options, onnxq_model **out, onnxq_report **report,
                           onnxq_error *err);

// What each layer costs at the model's outputs when it alone is quantized as `options` say, the costliest
// first, on at most `limit` samples (0: 32). `statistics` may be NULL: then they are collected over `data`.
// Errors: as onnxq_convert.
onnxq_status onnxq_sensitivity(onnxq_model *model, const onnxq_statistics *statistics, const onnxq_data *data,
                               const onnxq_convert_options *options, size_t limit, onnxq_report **out,
                               onnxq_error *err);

typedef struct onnxq_widths {
    int weight_bits, activation_bits; // 2..16; in weight-only mode the second does not count
} onnxq_widths;

typedef struct onnxq_sweep_options {
    const onnxq_widths *widths; // [width_count] rows of the table, in this order
    size_t width_count;
    const onnxq_data *judges; // samples to compare on; NULL: of `data` those that no correction is fitted on
                              // (every fourth; all of them below 4, and in weight-only mode)
    const char *labels;       // .npy of integers, one a sample of the judges (or of `data`), or NULL
    size_t limit;             // compare on at most so many samples; 0 = all
    const char *folder;       // where each model is written as w<bits>a<bits>.onnx (made when not there), or
                              // NULL
    const char *title;        // of table and picture; NULL: the file's name
} onnxq_sweep_options;

// Quantizes at each of these widths from one calibration pass, everything else as in `options` (whose own
// widths, budget and `verify_samples` do not count), and compares each result with the float model: file
// size, SQNR, agreement, accuracy. A width that cannot be had stands in the report with the reason.
// `statistics` may be NULL: then they are collected over `data`. The report has a picture. Errors: as
// onnxq_convert; when no width can be had, the error of the first.
onnxq_status onnxq_sweep(onnxq_model *model, const onnxq_statistics *statistics, const onnxq_data *data,
                         const onnxq_convert_options *options, const onnxq_sweep_options *how,
                         onnxq_report **out, onnxq_error *err);

// ---------------------------------------------------------------------------------------------------------------------
// 8. Verify and run

typedef struct onnxq_verify_options {
    const char *labels;                                     // .npy of integers, one a sample, or NULL
    double minimum_sqnr, minimum_cosine, minimum_agreement; // NaN = not asked for
    size_t limit;                                           // at most so many samples; 0 = all
    int layers;                                             // also every layer
    onnxq_target emulate; // X86_AVX2: the second model with saturating pairs, as such a machine would run it
} onnxq_verify_options;

onnxq_verify_options onnxq_verify_defaults(void);
// Runs both models on the samples and compares their outputs. ACCURACY when a minimum is missed: the report
// is there too.
onnxq_status onnxq_verify(onnxq_model *reference, onnxq_model *model, const onnxq_data *data,
                          const onnxq_verify_options *options, onnxq_report **out, onnxq_error *err);

typedef enum onnxq_output_format { ONNXQ_OUTPUT_NPZ, ONNXQ_OUTPUT_PB } onnxq_output_format;
// Runs the model on each sample and writes its outputs: FOLDER/<sample>.npz, or
// FOLDER/test_data_set_<sample>/output_<k>.pb. The folder is made when it is not there.
onnxq_status onnxq_run(onnxq_model *model, const onnxq_data *data, const char *folder,
                       onnxq_output_format format, onnxq_error *err);

// ---------------------------------------------------------------------------------------------------------------------
// 9. Tensors: the arithmetic of quantization on one array, exactly as convert does it

typedef enum onnxq_granularity {
    ONNXQ_PER_TENSOR,  // one scale and zero point for all elements
    ONNXQ_PER_CHANNEL, // one for each index of an axis
    ONNXQ_PER_GROUP    // one for `group_size` neighbours along an axis, for each index of the other axes
} onnxq_granularity;

typedef struct onnxq_tensor_options {
    int bits;        // 2..16
    int is_unsigned; // integers 0..2^bits - 1 instead of -2^(bits-1)..2^(bits-1) - 1
    int symmetric;   // zero point 0 (unsigned: 2^(bits-1)), integers from -(2^(bits-1) - 1) up
    int full_range;  // symmetric and signed: from -2^(bits-1) up; the scale is max|x| / (2^(bits-1) - 0.5)
    onnxq_granularity granularity;
    int axis;           // of channels and groups; negative: counted from the last
    int64_t group_size; // the last group of an axis may be shorter
    // Not 0: this scale and zero point for the whole tensor, instead of those found from its elements.
    double scale;
    int zero_point;
    // How ranges are found. MINMAX; MSE: of range * (1 - i / 100), i = 0..79, the one with the least sum of
    // |x - x^|^2.4; PERCENTILE, ENTROPY and AUTO: from a histogram, as ranges of activations are.
    onnxq_method method;
    double percentile;    // of PERCENTILE
    int as_an_activation; // every method works on a histogram: MSE too
} onnxq_tensor_options;

// 8 bits, signed, asymmetric, per tensor, MINMAX.
onnxq_tensor_options onnxq_tensor_defaults(void);

// A quantized array. Everything in it belongs to the object.
typedef struct onnxq_tensor onnxq_tensor;
typedef struct onnxq_tensor_view {
    int rank, parameter_rank;
    const int64_t *shape; // [rank]
    const int64_t
        *parameter_shape; // [parameter_rank] as ONNX has it: [], [channels], or with groups along the axis
    size_t count, parameters;  // elements; scales, and as many zero points
    onnxq_dtype dtype;         // that ONNX carries such integers in
    int least, greatest;       // integer of the grid
    const float *scale;        // [parameters] row-major, like all arrays here
    const int32_t *zero_point; // [parameters]
    const int32_t *integers;   // [count]
    const float *dequantized;  // [count] (integer - zero_point) * scale in float32
    double mse;                // mean of (x - dequantized)^2
    double sqnr;               // 10 log10(sum x^2 / sum (x - dequantized)^2) in dB; infinity when exact
} onnxq_tensor_view;

// Quantizes `elements` (row-major, `shape` [rank], rank 0: one number), which are only read. `name` is how
// errors and reports call it. Errors: USAGE for options that contradict each other or the shape, BAD_DATA for
// NaN, infinity or no elements, NO_MEMORY.
onnxq_status onnxq_tensor_quantize(onnxq_session *session, const char *name, const float *elements,
                                   const int64_t *shape, int rank, const onnxq_tensor_options *options,
                                   onnxq_tensor **out, onnxq_error *err);
// The same for a .npy file of floats or integers, which are taken as float32. Also IO.
onnxq_status onnxq_tensor_quantize_file(onnxq_session *session, const char *path,
                                        const onnxq_tensor_options *options, onnxq_tensor **out,
                                        onnxq_error *err);
onnxq_tensor_view onnxq_tensor_get(const onnxq_tensor *tensor); // pointers live as long as the object
// Writes FILE.npz whole or not at all: integers, dequantized, scale, zero_point. 4- and 2-bit integers take a
// byte each.
onnxq_status onnxq_tensor_save(const onnxq_tensor *tensor, const char *path, onnxq_error *err);
// JSON with at most `limit` elements and parameters (0 = all) and the counts of the integers; the text shows
// at most 64.
onnxq_status onnxq_tensor_report(const onnxq_tensor *tensor, size_t limit, onnxq_report **out,
                                 onnxq_error *err);
void onnxq_tensor_free(onnxq_tensor *tensor);

#ifdef __cplusplus
}
#endif

#endif
