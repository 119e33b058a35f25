// DynamicQuantizeLSTM: LSTM with 8-bit weights; inputs and hidden states are quantized by their own range.
#include "ops/lib/lstm.h"

static const oq_type_set types[] = {
    {"T", OQ_T_FLOAT32}, {"T1", OQ_T(INT32)}, {"T2", OQ_T(UINT8) | OQ_T(INT8)}, {0}};
static const oq_attr_spec attrs[] = {
    {"activation_alpha", OQ_ATTR_FLOATS, false}, {"activation_beta", OQ_ATTR_FLOATS, false},
    {"activations", OQ_ATTR_STRINGS, false},     {"clip", OQ_ATTR_FLOAT, false},
    {"direction", OQ_ATTR_STRING, false},        {"hidden_size", OQ_ATTR_INT, false},
    {"input_forget", OQ_ATTR_INT, false},        {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T, W:T2, R:T2, B?:T, sequence_lens?:T1, initial_h?:T, initial_c?:T, P?:T, W_scale:T, "
                  "W_zero_point:T2, R_scale:T, R_zero_point:T2 -> Y?:T, Y_h?:T, Y_c?:T",
     .types = types,
     .attrs = attrs,
     .infer = oq_recurrent_infer,
     .run = oq_lstm_run,
     .macs = oq_recurrent_macs},
};
OQ_MICROSOFT_OP(DynamicQuantizeLSTM, versions);
