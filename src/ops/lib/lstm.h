// LSTM and DynamicQuantizeLSTM.
#ifndef OQ_OPS_LIB_LSTM_H
#define OQ_OPS_LIB_LSTM_H

#include "ops/lib/recurrent.h"

oq_status oq_lstm_run(oq_run_context *context, oq_error *err);

#endif
