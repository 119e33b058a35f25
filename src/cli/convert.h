// What convert has in common with other commands that quantize in the same ways.
#ifndef OQ_CLI_CONVERT_H
#define OQ_CLI_CONVERT_H

#include "cli/command.h"

typedef struct convert_values {
    common_values common;
    text_list data, include, exclude, ops, layers, input_ranges;
    size_t bits, weight_bits, activation_bits, group_size, verify_samples;
    int per_channel, per_tensor, embeddings, format, target, mode, method, weight_type, activation_type,
        symmetric, weight_asymmetric;
    int strict, external_data, no_correct, no_guards, best_effort, dequantize, rounding, search, fallback,
        float_functions, no_split, no_zero_channels;
    double percentile, target_bits;
    const char *statistics, *max_drop, *labels, *report, *target_size;
} convert_values;

// The options of how to quantize, but for the widths, which sweep spells in another way; values as above.
extern const option convert_shared_options[];
void convert_defaults(void *values);
onnxq_status convert_check(const convert_values *v, onnxq_error *err); // contradictions
// What was parsed; without layers and budget.
onnxq_convert_options convert_options_of(const convert_values *v);
// --layer: a list that the caller frees.
onnxq_status convert_layers(const text_list *texts, onnxq_layer_choice **out, onnxq_error *err);
// The samples that were given, or the default ones; none when there are statistics alone.
onnxq_status convert_open_data(const convert_values *v, onnxq_model *model, onnxq_data **data,
                               onnxq_error *err);

#endif
