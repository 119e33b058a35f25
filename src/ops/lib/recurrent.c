// What LSTM, GRU and RNN share.
#include "ops/lib/recurrent.h"

#include "ops/lib/infer.h"
#include "ops/lib/macs.h"

#include <string.h>

enum { X, W, R, BIAS, LENGTHS, INITIAL_H, INITIAL_C, PEEPHOLES, W_SCALE, W_ZERO, R_SCALE, R_ZERO };

bool oq_recurrent_at(const oq_recurrent_state *s, size_t step, size_t b, size_t *t) {
    const oq_recurrent *r = s->all;
    size_t length = r->steps;
    if (r->lengths) length = r->lengths[b] < 0 ? 0 : oq_min_size((size_t)r->lengths[b], r->steps);
    if (step >= length) return false;
    *t = r->reverse[s->direction] ? length - 1 - step : step;
    return true;
}

size_t oq_recurrent_x_row(const oq_recurrent_state *s, size_t t, size_t b) {
    return s->all->batch_first ? b * s->all->steps + t : t * s->all->batch + b;
}

size_t oq_recurrent_y_row(const oq_recurrent_state *s, size_t t, size_t b) {
    const oq_recurrent *r = s->all;
    return r->batch_first ? (b * r->steps + t) * r->directions + s->direction
                          : (t * r->directions + s->direction) * r->batch + b;
}

void oq_recurrent_each(oq_recurrent_state *s, size_t step, oq_recurrent_row f32, oq_recurrent_row f64) {
    for (size_t b = 0; b < s->all->batch; b++) {
        size_t t = 0;
        if (oq_recurrent_at(s, step, b, &t)) (s->all->work == OQ_WORK_F32 ? f32 : f64)(s, b, t);
    }
}

void oq_recurrent_last(oq_recurrent_state *s, size_t step, oq_recurrent_row f32, oq_recurrent_row f64) {
    const size_t size = oq_work_bytes(s->all->work) * s->all->hidden;
    oq_recurrent_each(s, step, f32, f64);
    for (size_t b = 0; b < s->all->batch && s->all->y; b++) {
        size_t t = 0;
        if (!oq_recurrent_at(s, step, b, &t)) continue;
        memcpy(oq_at_mutable(s->all->y, oq_recurrent_y_row(s, t, b), size), oq_at(s->h, b, size), size);
    }
}

// out [rows, columns] = a [rows, depth] times the transposed rows of `b`.
static void multiply(const oq_recurrent_state *s, const void *a, size_t rows, size_t depth, const void *b,
                     size_t columns, const void *packed, void *out) {
    const oq_product p = {.work = s->all->work,
                          .m = rows,
                          .n = columns,
                          .k = depth,
                          .a = a,
                          .a_row = depth,
                          .a_column = 1,
                          .b = b,
                          .ldb = depth,
                          .b_transposed = true,
                          .packed = packed,
                          .c = out,
                          .ldc = columns,
                          .pool = s->pool};
    oq_product_run(&p);
}

// Rows of r from `gate` on, of the direction at work.
static const void *r_of(const oq_recurrent_state *s, size_t gate) {
    const oq_recurrent *r = s->all;
    return oq_at(r->r, (s->direction * r->gates + gate) * r->hidden * r->hidden, oq_work_bytes(r->work));
}

void oq_recurrent_multiply(oq_recurrent_state *s) {
    const oq_recurrent *r = s->all;
    if (r->quantized) {
        oq_recurrent_8_multiply(&r->r8, s->direction, s->h, r->batch, s->hr, s->pool);
        return;
    }
    multiply(s, s->h, r->batch, r->hidden, r_of(s, 0), r->gates * r->hidden, s->packed, s->hr);
}

void oq_recurrent_multiply_last(oq_recurrent_state *s) {
    const oq_recurrent *r = s->all;
    multiply(s, s->scaled, r->batch, r->hidden, r_of(s, r->gates - 1), r->hidden, s->packed_last,
             s->scaled_r);
}

static oq_status does_not_fit(const char *what, oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_MODEL,
                   "the shape of %s does not fit the other inputs of the recurrent node", what);
}

static bool has_shape(const oq_tensor *tensor, int rank, const int64_t *dims) {
    const oq_shape shape = oq_shape_of(rank, dims);
    return !tensor || oq_shape_equal(&tensor->shape, &shape);
}

static oq_status read_shapes(const oq_run_context *context, oq_recurrent *r, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const oq_tensor *w = oq_in(context, W);
    if (x->shape.rank != 3 || w->shape.rank != 3 || oq_in(context, R)->shape.rank != 3)
        return does_not_fit("X, W or R", err);
    // 8-bit weights lie the other way round: [directions, depth, gates * hidden].
    const int turn = r->quantized ? 1 : 2;
    const int64_t hidden = oq_in(context, R)->shape.dim[turn];
    const int64_t directions = (int64_t)r->directions;
    const int64_t gates = (int64_t)r->gates;
    r->steps = (size_t)x->shape.dim[r->batch_first];
    r->batch = (size_t)x->shape.dim[!r->batch_first];
    r->input = (size_t)x->shape.dim[2];
    r->hidden = (size_t)hidden;
    const int64_t batch = (int64_t)r->batch;
    const int64_t first = r->batch_first ? batch : directions;
    const int64_t second = r->batch_first ? directions : batch;
    int64_t rows = 0;
    if (!oq_mul_i64(gates, hidden, &rows)) return does_not_fit("R", err);
    const int64_t asked = oq_node_int(context->node, "hidden_size", hidden);
    int64_t w_dims[] = {directions, rows, rows};
    int64_t r_dims[] = {directions, rows, rows};
    w_dims[turn] = x->shape.dim[2];
    r_dims[turn] = hidden;
    if (asked != hidden || !has_shape(oq_in(context, R), 3, r_dims)) return does_not_fit("R", err);
    if (!has_shape(w, 3, w_dims)) return does_not_fit("W", err);
    if (!has_shape(oq_in(context, BIAS), 2, (int64_t[]){directions, 2 * rows})) return does_not_fit("B", err);
    if (!has_shape(oq_in(context, LENGTHS), 1, &batch)) return does_not_fit("sequence_lens", err);
    if (!has_shape(oq_in(context, INITIAL_H), 3, (int64_t[]){first, second, hidden}))
        return does_not_fit("initial_h", err);
    if (!has_shape(oq_in(context, INITIAL_C), 3, (int64_t[]){first, second, hidden}))
        return does_not_fit("initial_c", err);
    if (!has_shape(oq_in(context, PEEPHOLES), 2, (int64_t[]){directions, 3 * hidden}))
        return does_not_fit("P", err);
    return ONNXQ_OK;
}

// Activations of all directions, by name or the usual ones, and their parameters in the order of use.
static oq_status read_activations(const oq_node *node, oq_recurrent *r, const char *const *usual, size_t each,
                                  oq_error *err) {
    const oq_attr *names = oq_node_attr(node, "activations");
    const oq_attr *alpha = oq_node_attr(node, "activation_alpha");
    const oq_attr *beta = oq_node_attr(node, "activation_beta");
    const size_t given = names ? names->count : 0;
    size_t alphas = 0;
    size_t betas = 0;
    if (given && given < each * r->directions) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "there are %zu activations where %zu are needed", given,
                       each * r->directions);
    }
    for (size_t i = 0; i < each * r->directions; i++) {
        const char *name = given ? (const char *)names->strings[i].data : usual[i % each];
        oq_activation *a = &r->activation[i / each][i % each];
        OQ_TRY(oq_activation_find(name, a, err));
        if (a->has_alpha && alpha && alphas < alpha->count) a->alpha = (double)alpha->floats[alphas++];
        if (a->has_beta && beta && betas < beta->count) a->beta = (double)beta->floats[betas++];
    }
    return ONNXQ_OK;
}

static oq_status read_node(oq_run_context *context, oq_recurrent *r, const char *const *usual, size_t each,
                           oq_error *err) {
    const oq_node *node = context->node;
    const char *direction = oq_node_string(node, "direction", "forward");
    const bool both = strcmp(direction, "bidirectional") == 0;
    r->directions = both ? 2 : 1;
    r->reverse[0] = strcmp(direction, "reverse") == 0;
    r->reverse[1] = true;
    if (!both && !r->reverse[0] && strcmp(direction, "forward") != 0) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "direction '%s' is none of forward, reverse, bidirectional",
                       direction);
    }
    r->batch_first = oq_node_int(node, "layout", 0) != 0;
    r->clip = (double)oq_node_float(node, "clip", 0.0F);
    r->coupled = oq_node_int(node, "input_forget", 0) != 0;
    r->linear_before = oq_node_int(node, "linear_before_reset", 0) != 0;
    r->quantized = oq_dtype_info(oq_in(context, W)->dtype)->is_integer;
    OQ_TRY(read_shapes(context, r, err));
    OQ_TRY(read_activations(node, r, usual, each, err));
    const struct {
        size_t input;
        const void **to;
    } arrays[] = {{X, &r->x},         {BIAS, &r->bias},           {INITIAL_H, &r->h},
                  {INITIAL_C, &r->c}, {PEEPHOLES, &r->peepholes}, {W, &r->w},
                  {R, &r->r}};
    const size_t count = sizeof(arrays) / sizeof(arrays[0]) - (r->quantized ? 2 : 0);
    for (size_t i = 0; i < count; i++) {
        const oq_tensor *tensor = oq_in(context, arrays[i].input);
        if (tensor) OQ_TRY(oq_array_in(context, tensor, r->work, arrays[i].to, err));
    }
    r->lengths = oq_in(context, LENGTHS) ? oq_in(context, LENGTHS)->data : NULL;
    if (!r->quantized) return ONNXQ_OK;
    OQ_TRY(
        oq_recurrent_8_open(context, oq_in(context, W), W_SCALE, W_ZERO, r->steps * r->batch, &r->w8, err));
    return oq_recurrent_8_open(context, oq_in(context, R), R_SCALE, R_ZERO, r->batch, &r->r8, err);
}

// Rows of x up to the end of the longest sequence: the others have no say in the range of a quantized x.
static size_t rows_of_x(const oq_recurrent *r) {
    size_t longest = r->lengths ? 0 : r->steps;
    for (size_t b = 0; b < r->batch && r->lengths; b++) {
        const size_t length = r->lengths[b] < 0 ? 0 : oq_min_size((size_t)r->lengths[b], r->steps);
        if (length > longest) longest = length;
    }
    return longest * r->batch;
}

// Packs the weights of one direction and multiplies x by its W.
static void start_direction_8(const oq_recurrent *r, const oq_recurrent_state *s) {
    oq_recurrent_8_pack(&r->w8, s->direction);
    oq_recurrent_8_pack(&r->r8, s->direction);
    oq_recurrent_8_multiply(&r->w8, s->direction, r->x, rows_of_x(r), s->xw, s->pool);
}

// Between [batch, H] of one direction and the states of all: [directions, batch, H] or [batch, directions,
// H].
static void move_state(const oq_recurrent *r, size_t direction, const void *from, void *to, bool out) {
    const size_t size = oq_work_bytes(r->work) * r->hidden;
    for (size_t b = 0; b < r->batch; b++) {
        const size_t all = r->batch_first ? b * r->directions + direction : direction * r->batch + b;
        memcpy(oq_at_mutable(to, out ? all : b, size), oq_at(from, out ? b : all, size), size);
    }
}

static oq_status pack(oq_run_context *context, const oq_recurrent_state *s, size_t gate, size_t gates,
                      void **space, oq_error *err) {
    const oq_recurrent *r = s->all;
    if (!*space) OQ_TRY(oq_product_space(context, r->work, r->hidden, gates * r->hidden, space, err));
    if (*space && r->hidden) {
        oq_gemm_f32_pack(r_of(s, gate), r->hidden, true, r->hidden, gates * r->hidden, *space);
    }
    return ONNXQ_OK;
}

static oq_status workspace(oq_run_context *context, const oq_recurrent *r, oq_recurrent_state *s,
                           oq_error *err) {
    const size_t size = oq_work_bytes(r->work);
    size_t rows = 0;
    size_t all = 0;
    if (!oq_mul_size(r->steps, r->batch, &rows) || !oq_mul_size(rows, r->gates * r->hidden, &all)) {
        return oq_fail(err, ONNXQ_NO_MEMORY, "the gates of all steps do not fit in memory");
    }
    OQ_TRY(oq_scratch_array(context, all, size, &s->xw, err));
    OQ_TRY(oq_scratch_array(context, r->batch * r->gates * r->hidden, size, &s->hr, err));
    void **const blocks[] = {&s->h, &s->c, &s->scaled, &s->scaled_r};
    for (size_t i = 0; i < 4; i++)
        OQ_TRY(oq_scratch_array(context, r->batch * r->hidden, size, blocks[i], err));
    return ONNXQ_OK;
}

// Packs the weights of one direction and multiplies x by its W.
static oq_status start_direction(oq_run_context *context, const oq_recurrent *r, oq_recurrent_state *s,
                                 void *spaces[3], oq_error *err) {
    const size_t columns = r->gates * r->hidden;
    const void *w = oq_at(r->w, s->direction * columns * r->input, oq_work_bytes(r->work));
    if (!spaces[0]) OQ_TRY(oq_product_space(context, r->work, r->input, columns, &spaces[0], err));
    OQ_TRY(pack(context, s, 0, r->gates, &spaces[1], err));
    OQ_TRY(pack(context, s, r->gates - 1, 1, &spaces[2], err));
    s->packed = spaces[1];
    s->packed_last = spaces[2];
    if (spaces[0] && r->input) oq_gemm_f32_pack(w, r->input, true, r->input, columns, spaces[0]);
    multiply(s, r->x, r->steps * r->batch, r->input, w, columns, spaces[0], s->xw);
    return ONNXQ_OK;
}

static oq_status run_directions(oq_run_context *context, const oq_recurrent *r, oq_recurrent_cell cell,
                                void *h_out, void *c_out, oq_error *err) {
    oq_recurrent_state s = {.all = r, .pool = context->pool};
    const size_t size = oq_work_bytes(r->work);
    void *spaces[3] = {NULL};
    OQ_TRY(workspace(context, r, &s, err));
    for (s.direction = 0; s.direction < r->directions; s.direction++) {
        if (r->quantized) {
            start_direction_8(r, &s);
        } else {
            OQ_TRY(start_direction(context, r, &s, spaces, err));
        }
        if (s.h) memset(s.h, 0, r->batch * r->hidden * size);
        if (s.c) memset(s.c, 0, r->batch * r->hidden * size);
        if (r->h) move_state(r, s.direction, r->h, s.h, false);
        if (r->c) move_state(r, s.direction, r->c, s.c, false);
        for (size_t step = 0; step < r->steps; step++) cell(&s, step);
        if (h_out) move_state(r, s.direction, s.h, h_out, true);
        if (c_out) move_state(r, s.direction, s.c, c_out, true);
    }
    return ONNXQ_OK;
}

oq_status oq_recurrent_run(oq_run_context *context, size_t gates, bool has_cell,
                           const char *const *activations, size_t activation_count, oq_recurrent_cell cell,
                           oq_error *err) {
    const oq_dtype dtype = oq_in(context, X)->dtype;
    oq_recurrent r = {.work = oq_dtype_info(dtype)->work, .gates = gates};
    OQ_TRY(read_node(context, &r, activations, activation_count, err));
    const int64_t steps = (int64_t)r.steps;
    const int64_t batch = (int64_t)r.batch;
    const int64_t directions = (int64_t)r.directions;
    const int64_t hidden = (int64_t)r.hidden;
    const oq_shape y_shape = r.batch_first ? OQ_SHAPE(batch, steps, directions, hidden)
                                           : OQ_SHAPE(steps, directions, batch, hidden);
    const oq_shape state =
        r.batch_first ? OQ_SHAPE(batch, directions, hidden) : OQ_SHAPE(directions, batch, hidden);
    oq_array_target out[3] = {{0}};
    for (size_t i = 0; i < (has_cell ? 3U : 2U); i++) {
        if (!oq_wanted(context, i)) continue;
        OQ_TRY(oq_array_out(context, i, dtype, i ? &state : &y_shape, r.work, &out[i], err));
    }
    r.y = out[0].data;
    // Positions behind the end of a sequence stay 0.
    if (r.y) memset(r.y, 0, (size_t)oq_shape_count(&y_shape) * oq_work_bytes(r.work));
    OQ_TRY(run_directions(context, &r, cell, out[1].data, out[2].data, err));
    for (size_t i = 0; i < 3; i++) {
        if (out[i].data) oq_array_finish(&out[i]);
    }
    return ONNXQ_OK;
}

oq_status oq_recurrent_infer(oq_infer_context *context, oq_error *err) {
    const bool batch_first = oq_node_int(context->node, "layout", 0) != 0;
    const bool both = strcmp(oq_node_string(context->node, "direction", "forward"), "bidirectional") == 0;
    const oq_dim directions = oq_dim_of(both ? 2 : 1);
    const oq_dim steps = oq_infer_dim(context, X, batch_first);
    const oq_dim batch = oq_infer_dim(context, X, !batch_first);
    const int64_t asked = oq_node_int(context->node, "hidden_size", -1);
    const oq_dtype w = oq_infer_dtype(context, W);
    const bool quantized = w == ONNXQ_INT8 || w == ONNXQ_UINT8;
    const oq_dim hidden = asked >= 0 ? oq_dim_of(asked) : oq_infer_dim(context, R, quantized ? 1 : 2);
    const oq_dim y[2][4] = {{steps, directions, batch, hidden}, {batch, steps, directions, hidden}};
    const oq_dim state[2][3] = {{directions, batch, hidden}, {batch, directions, hidden}};
    (void)err;
    for (size_t i = 0; i < context->output_count; i++) {
        oq_infer_set(context, i, oq_infer_dtype(context, X), i ? 3 : 4,
                     i ? state[batch_first] : y[batch_first]);
    }
    return ONNXQ_OK;
}

uint64_t oq_recurrent_macs(const oq_graph *graph, const oq_node *node) {
    const oq_type *x = oq_macs_input(graph, node, X);
    const oq_type *w = oq_macs_input(graph, node, W);
    const oq_type *r = oq_macs_input(graph, node, R);
    if (!x || !w || !r) return 0;
    const uint64_t rows = oq_macs_times(oq_macs_dim(x, 0), oq_macs_dim(x, 1));
    return oq_macs_times(rows, oq_macs_elements(w, 0)) + oq_macs_times(rows, oq_macs_elements(r, 0));
}

oq_status oq_recurrent_upgrade_7(oq_upgrade_context *context, oq_error *err) {
    (void)err;
    oq_node_remove_attr(context->node, "output_sequence");
    return ONNXQ_OK;
}
