// What LSTM, GRU and RNN share: shapes, directions, lengths, layout; each brings its cell.
#ifndef OQ_OPS_LIB_RECURRENT_H
#define OQ_OPS_LIB_RECURRENT_H

#include "ops/lib/activation.h"
#include "ops/lib/product.h"
#include "ops/lib/recurrent_8.h"

// Matrices of the working type. H is the hidden size, G the gates.
typedef struct oq_recurrent {
    oq_work_type work;
    size_t gates, steps, batch, input, hidden, directions;
    bool batch_first; // layout 1
    bool reverse[2];  // per direction
    oq_activation activation[2][3];
    double clip;            // of what goes into activations; 0 = none
    bool coupled;           // LSTM input_forget
    bool linear_before;     // GRU linear_before_reset
    const int32_t *lengths; // [batch], or NULL
    const void *x, *w, *r;  // w [directions, G * H, input], r [directions, G * H, H]
    oq_recurrent_8 w8, r8;  // in their place when `quantized`
    bool quantized;
    const void *bias;      // [directions, 2 * G * H] or NULL
    const void *peepholes; // [directions, 3 * H] or NULL
    const void *h, *c;     // initial states as given, or NULL
    void *y;               // [steps, directions, batch, H], or [batch, steps, directions, H]; or NULL
} oq_recurrent;

// One direction at work.
typedef struct oq_recurrent_state {
    const oq_recurrent *all;
    size_t direction;
    void *xw;                // x w' of all steps: [steps * batch, G * H] in the order of x
    void *hr;                // h r' of this step: [batch, G * H]
    void *h, *c;             // [batch, H]
    void *scaled;            // GRU: [batch, H], r (.) h
    void *scaled_r;          // GRU: [batch, H]
    const void *packed;      // r' of all gates, float32 only
    const void *packed_last; // GRU: r' of the last gate
    oq_pool *pool;
} oq_recurrent_state;

typedef void (*oq_recurrent_cell)(oq_recurrent_state *s, size_t step);

// Runs the node: reads attributes and inputs, writes outputs Y, Y_h and (with `has_cell`) Y_c.
oq_status oq_recurrent_run(oq_run_context *context, size_t gates, bool has_cell,
                           const char *const *activations, size_t activation_count, oq_recurrent_cell cell,
                           oq_error *err);

// For cells: whether sequence `b` is still running at `step`; *t is then the position it is at.
bool oq_recurrent_at(const oq_recurrent_state *s, size_t step, size_t b, size_t *t);
size_t oq_recurrent_x_row(const oq_recurrent_state *s, size_t t, size_t b); // of xw
size_t oq_recurrent_y_row(const oq_recurrent_state *s, size_t t, size_t b); // of y, rows of H
// Calls `f32` or `f64` for each sequence that is still running at `step`, with the position it is at.
typedef void (*oq_recurrent_row)(const oq_recurrent_state *s, size_t b, size_t t);
void oq_recurrent_each(oq_recurrent_state *s, size_t step, oq_recurrent_row f32, oq_recurrent_row f64);
// The same, whereupon the rows of h go to y.
void oq_recurrent_last(oq_recurrent_state *s, size_t step, oq_recurrent_row f32, oq_recurrent_row f64);
// hr = h r' of all gates; scaled_r = scaled r' of the last gate.
void oq_recurrent_multiply(oq_recurrent_state *s);
void oq_recurrent_multiply_last(oq_recurrent_state *s);

// Tables entries' other functions.
oq_status oq_recurrent_infer(oq_infer_context *context, oq_error *err);
uint64_t oq_recurrent_macs(const oq_graph *graph, const oq_node *node);
oq_status oq_recurrent_upgrade_7(oq_upgrade_context *context, oq_error *err); // output_sequence goes

#endif
