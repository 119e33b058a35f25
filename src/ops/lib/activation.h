// The activation functions that LSTM, GRU and RNN take by name, with their two parameters.
#ifndef OQ_OPS_LIB_ACTIVATION_H
#define OQ_OPS_LIB_ACTIVATION_H

#include "base/mem.h"

typedef struct oq_activation {
    float (*f32)(float x, float alpha, float beta);
    double (*f64)(double x, double alpha, double beta);
    double alpha, beta;       // the standard's defaults until the caller sets others
    bool has_alpha, has_beta; // whether the function uses them
} oq_activation;

// By name, in any case of letters ("Tanh", "tanh"); an unknown one is an error that names it.
oq_status oq_activation_find(const char *name, oq_activation *out, oq_error *err);

#endif
