// Upgrades of old forms, and inference, that the elementwise families share beside lib/infer.h.
#ifndef OQ_OPS_LIB_ELEMENTWISE_H
#define OQ_OPS_LIB_ELEMENTWISE_H

#include "ops/lib/schema.h"

// --- inference, usable as `infer` of a version, beside those of lib/infer.h ---
oq_status oq_infer_test(oq_infer_context *context, oq_error *err); // shape of input 0, elements bool

// The `infer` of arithmetic on two tensors, with `dims` for sizes that the model computes itself.
#define OQ_INFER_SIZES(dims)                                                                                 \
    static oq_status infer(oq_infer_context *context, oq_error *err) {                                       \
        OQ_TRY(oq_infer_binary(context, err));                                                               \
        return context->input_count == 2 ? oq_infer_elements_binary(context, dims, err) : ONNXQ_OK;          \
    }

// --- upgrades, each usable as `upgrade` of a version ---
// Opset 6 dropped the attribute consumed_inputs.
oq_status oq_upgrade_consumed(oq_upgrade_context *context, oq_error *err);
// Opset 7 replaced the attributes broadcast and axis by numpy's rule: input 1 gets a Reshape where it was
// aligned further left.
oq_status oq_upgrade_broadcast(oq_upgrade_context *context, oq_error *err);

// Inserts Reshape(input `index`, 0 x rank, 1 x `ones`) before the node: axes of size 1 at the end.
oq_status oq_upgrade_append_ones(oq_upgrade_context *context, size_t index, int rank, int ones,
                                 oq_error *err);
// A new initializer holding int64 values (rank 1), or one number of `dtype` (rank 0), as input `index`.
oq_status oq_upgrade_ints_input(oq_upgrade_context *context, size_t index, const char *name,
                                const int64_t *values, size_t count, oq_error *err);
oq_status oq_upgrade_number_input(oq_upgrade_context *context, size_t index, const char *name, oq_dtype dtype,
                                  float value, oq_error *err);
// A new node of ai.onnx with one output of a fresh name derived from the upgraded node's output.
oq_status oq_upgrade_new_node(oq_upgrade_context *context, const char *op_type, const oq_value_id *inputs,
                              size_t input_count, const char *suffix, oq_node **out, oq_error *err);
// The upgraded node writes its output 0 under a fresh name; *out (NULL inputs: to be set) takes the old
// value over as its own output: `node -> fresh -> new node -> old value`.
oq_status oq_upgrade_follow(oq_upgrade_context *context, const char *op_type, oq_value_id second,
                            oq_node **out, oq_error *err);

// --- rows of version tables that operators share; `run`, and `infer` of arithmetic, are the operator's own
// ---

#define OQ_VERSION_UNARY(SINCE, SIGNATURE, SET)                                                              \
    {                                                                                                        \
        .since = SINCE, .signature = SIGNATURE, .types = OQ_TYPES({"T", SET}), .infer = oq_infer_unary,      \
        .run = run                                                                                           \
    }
// Functions from opset 1 on: with consumed_inputs until 6, for bfloat16 since 13.
#define OQ_VERSIONS_UNARY(SIGNATURE, SET_6, SET_13)                                                          \
    {.since = 1,                                                                                             \
     .signature = SIGNATURE,                                                                                 \
     .types = OQ_TYPES({"T", OQ_T_FLOATS3}),                                                                 \
     .attrs = OQ_ATTRS({"consumed_inputs", OQ_ATTR_INTS, false}),                                            \
     .infer = oq_infer_unary,                                                                                \
     .run = run},                                                                                            \
        {.since = 6,                                                                                         \
         .signature = SIGNATURE,                                                                             \
         .types = OQ_TYPES({"T", SET_6}),                                                                    \
         .infer = oq_infer_unary,                                                                            \
         .run = run,                                                                                         \
         .upgrade = oq_upgrade_consumed},                                                                    \
        OQ_VERSION_UNARY(13, SIGNATURE, SET_13)
// The same with the attributes behind LAST, for bfloat16 since LAST.
#define OQ_VERSIONS_ACTIVATION(LAST, ...)                                                                    \
    {.since = 1,                                                                                             \
     .signature = "X:T -> Y:T",                                                                              \
     .types = OQ_TYPES({"T", OQ_T_FLOATS3}),                                                                 \
     .attrs = OQ_ATTRS({"consumed_inputs", OQ_ATTR_INTS, false}, __VA_ARGS__),                               \
     .infer = oq_infer_unary,                                                                                \
     .run = run},                                                                                            \
        {.since = 6,                                                                                         \
         .signature = "X:T -> Y:T",                                                                          \
         .types = OQ_TYPES({"T", OQ_T_FLOATS3}),                                                             \
         .attrs = OQ_ATTRS(__VA_ARGS__),                                                                     \
         .infer = oq_infer_unary,                                                                            \
         .run = run,                                                                                         \
         .upgrade = oq_upgrade_consumed},                                                                    \
    {                                                                                                        \
        .since = LAST, .signature = "X:T -> Y:T", .types = OQ_TYPES({"T", OQ_T_FLOATS4}),                    \
        .attrs = OQ_ATTRS(__VA_ARGS__), .infer = oq_infer_unary, .run = run                                  \
    }
// Arithmetic of two tensors: with the attribute broadcast until 7.
#define OQ_VERSIONS_ARITHMETIC                                                                               \
    {.since = 1,                                                                                             \
     .signature = "A:T, B:T -> C:T",                                                                         \
     .types = OQ_TYPES({"T", OQ_T_FLOATS3}),                                                                 \
     .attrs = OQ_ATTRS({"consumed_inputs", OQ_ATTR_INTS, false}, {"axis", OQ_ATTR_INT, false},               \
                       {"broadcast", OQ_ATTR_INT, false}),                                                   \
     .infer = oq_infer_unary,                                                                                \
     .run = run},                                                                                            \
        {.since = 6,                                                                                         \
         .signature = "A:T, B:T -> C:T",                                                                     \
         .types = OQ_TYPES({"T", OQ_T_FLOATS3 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64)}),                  \
         .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}, {"broadcast", OQ_ATTR_INT, false}),                 \
         .infer = oq_infer_unary,                                                                            \
         .run = run,                                                                                         \
         .upgrade = oq_upgrade_consumed},                                                                    \
        {.since = 7,                                                                                         \
         .signature = "A:T, B:T -> C:T",                                                                     \
         .types = OQ_TYPES({"T", OQ_T_FLOATS3 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64)}),                  \
         .infer = infer,                                                                                     \
         .run = run,                                                                                         \
         .upgrade = oq_upgrade_broadcast},                                                                   \
        {.since = 13,                                                                                        \
         .signature = "A:T, B:T -> C:T",                                                                     \
         .types = OQ_TYPES({"T", OQ_T_FLOATS4 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64)}),                  \
         .infer = infer,                                                                                     \
         .run = run},                                                                                        \
    {                                                                                                        \
        .since = 14, .signature = "A:T, B:T -> C:T", .types = OQ_TYPES({"T", OQ_T_NUMERIC4}),                \
        .infer = infer, .run = run                                                                           \
    }
// Relations of two tensors, and what came before them in opsets 1 and 7.
#define OQ_VERSION_RELATION(SINCE, SET)                                                                      \
    {                                                                                                        \
        .since = SINCE, .signature = "A:T, B:T -> C:T1", .types = OQ_TYPES({"T", SET}, {"T1", OQ_T(BOOL)}),  \
        .infer = oq_infer_compare, .run = run                                                                \
    }
#define OQ_VERSIONS_RELATION_1_7(SET)                                                                        \
    {.since = 1,                                                                                             \
     .signature = "A:T, B:T -> C:T1",                                                                        \
     .types = OQ_TYPES({"T", SET}, {"T1", OQ_T(BOOL)}),                                                      \
     .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}, {"broadcast", OQ_ATTR_INT, false}),                     \
     .infer = oq_infer_test,                                                                                 \
     .run = run},                                                                                            \
    {                                                                                                        \
        .since = 7, .signature = "A:T, B:T -> C:T1", .types = OQ_TYPES({"T", SET}, {"T1", OQ_T(BOOL)}),      \
        .infer = oq_infer_compare, .run = run, .upgrade = oq_upgrade_broadcast                               \
    }
// Folds of any number of tensors.
#define OQ_VERSION_VARIADIC(SINCE, SIGNATURE, SET, INFER)                                                    \
    { .since = SINCE, .signature = SIGNATURE, .types = OQ_TYPES({"T", SET}), .infer = INFER, .run = run }
#define OQ_VERSIONS_VARIADIC_1_6_8(SIGNATURE, INFER)                                                         \
    {.since = 1,                                                                                             \
     .signature = SIGNATURE,                                                                                 \
     .types = OQ_TYPES({"T", OQ_T_FLOATS3}),                                                                 \
     .attrs = OQ_ATTRS({"consumed_inputs", OQ_ATTR_INTS, false}),                                            \
     .infer = INFER,                                                                                         \
     .run = run},                                                                                            \
        {.since = 6,                                                                                         \
         .signature = SIGNATURE,                                                                             \
         .types = OQ_TYPES({"T", OQ_T_FLOATS3}),                                                             \
         .infer = INFER,                                                                                     \
         .run = run,                                                                                         \
         .upgrade = oq_upgrade_consumed},                                                                    \
        OQ_VERSION_VARIADIC(8, SIGNATURE, OQ_T_FLOATS3, INFER)

#endif
