// LSTM: input, output, forget and cell gates, with peepholes and coupled gates.
#include "ops/lib/lstm.h"

#define COMMON                                                                                               \
    {"activation_alpha", OQ_ATTR_FLOATS, false}, {"activation_beta", OQ_ATTR_FLOATS, false},                 \
        {"activations", OQ_ATTR_STRINGS, false}, {"clip", OQ_ATTR_FLOAT, false},                             \
        {"direction", OQ_ATTR_STRING, false}, {"hidden_size", OQ_ATTR_INT, false}, {                         \
        "input_forget", OQ_ATTR_INT, false                                                                   \
    }
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {"T1", OQ_T(INT32)}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {"T1", OQ_T(INT32)}, {0}};
static const oq_attr_spec attrs_1[] = {COMMON, {"output_sequence", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_7[] = {COMMON, {0}};
static const oq_attr_spec attrs_14[] = {COMMON, {"layout", OQ_ATTR_INT, false}, {0}};

#define SIGNATURE                                                                                            \
    "X:T, W:T, R:T, B?:T, sequence_lens?:T1, initial_h?:T, initial_c?:T, P?:T -> Y?:T, Y_h?:T, Y_c?:T"
#define RUNS                                                                                                 \
    .signature = SIGNATURE, .infer = oq_recurrent_infer, .run = oq_lstm_run, .macs = oq_recurrent_macs
static const oq_op_version versions[] = {
    {.since = 1, .types = types_1, .attrs = attrs_1, RUNS},
    {.since = 7, .types = types_1, .attrs = attrs_7, .upgrade = oq_recurrent_upgrade_7, RUNS},
    {.since = 14, .types = types_1, .attrs = attrs_14, RUNS},
    {.since = 22, .types = types_22, .attrs = attrs_14, RUNS},
};
OQ_ONNX_OP(LSTM, versions);
