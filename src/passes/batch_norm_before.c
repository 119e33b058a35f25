// Folding of scale and shift per channel (BatchNormalization, Mul, Add, Sub, Div by constants) into the
// weights and the bias of the product behind it.
#include "passes/affine.h"

#include <math.h>
#include <string.h>

// Channels whose scales lie further apart stay scaled in front: without it they would share one grid of
// integers that serves the largest alone.
#define LARGEST_SPREAD 16.0

// What a product reads: its input channels, and the value that is scaled.
typedef struct reading {
    oq_channels channels;
    size_t repeat;    // so many neighbours in the sum belong to one channel, behind a Flatten
    oq_node *flatten; // between the scaled value and the product, or NULL
    oq_value_id value;
} reading;

// --- where a shift reaches ---

// True when every output adds up all products of the kernel with real inputs: none is made up at the borders.
static bool has_no_padding(const oq_node *node) {
    const char *mode = oq_node_string(node, "auto_pad", "NOTSET");
    size_t count = 0;
    const int64_t *pads = oq_node_ints(node, "pads", &count);
    if (!strcmp(mode, "VALID")) return true;
    if (strcmp(mode, "NOTSET") != 0) return false;
    for (size_t i = 0; i < count; i++)
        if (pads[i]) return false;
    return true;
}

static bool all_are(const oq_node *node, const char *name, int64_t number) {
    size_t count = 0;
    const int64_t *list = oq_node_ints(node, name, &count);
    for (size_t i = 0; i < count; i++)
        if (list[i] != number) return false;
    return true;
}

// A transposed convolution adds up another part of its kernel at each place, unless that is one number.
static bool takes_shift(const oq_product *p) {
    if (oq_node_is(p->node, "Conv")) return has_no_padding(p->node);
    if (!oq_node_is(p->node, "ConvTranspose")) return true;
    const oq_shape *w = &p->weight.shape;
    size_t count = 0;
    oq_node_ints(p->node, "output_shape", &count);
    return count == 0 && oq_shape_range_count(w, 2, w->rank) == 1 && has_no_padding(p->node) &&
           all_are(p->node, "strides", 1) && all_are(p->node, "output_padding", 0);
}

// --- the input ---

static bool has_type(oq_graph *graph, oq_value_id value, const oq_channels *channels) {
    const oq_type *type = &oq_graph_value(graph, value)->type;
    return type->kind == OQ_TYPE_TENSOR && type->rank == channels->rank &&
           oq_dim_known(type->dim[channels->axis]) &&
           type->dim[channels->axis].size == (int64_t)channels->count;
}

// Rows of `depth` elements that are a Flatten of [N, C, ..]: the channels are C.
static void look_through_flatten(const oq_product *p, size_t depth, reading *in) {
    oq_node *flatten = oq_graph_producer_is(p->graph, in->value, "Flatten");
    if (!flatten || oq_node_int(flatten, "axis", 1) != 1 ||
        oq_graph_only_consumer(p->graph, in->value) != p->node)
        return;
    const oq_type *type = &oq_graph_value(p->graph, flatten->inputs[0])->type;
    if (type->kind != OQ_TYPE_TENSOR || type->rank < 2) return;
    int64_t count = 1;
    for (int d = 1; d < type->rank; d++) count *= oq_dim_known(type->dim[d]) ? type->dim[d].size : 0;
    if (count != (int64_t)depth || count == 0) return;
    in->flatten = flatten;
    in->value = flatten->inputs[0];
    in->channels = (oq_channels){.count = (size_t)type->dim[1].size, .axis = 1, .rank = type->rank};
    in->repeat = depth / in->channels.count;
}

static reading read_input(const oq_product *p) {
    const oq_shape *w = &p->weight.shape;
    reading in = {.value = p->node->inputs[0], .repeat = 1, .channels = {.axis = 1, .rank = w->rank}};
    if (oq_node_is(p->node, "Conv")) {
        in.channels.count = (size_t)(w->dim[1] * oq_node_int(p->node, "group", 1));
    } else if (oq_node_is(p->node, "ConvTranspose")) {
        in.channels.count = (size_t)w->dim[0];
    } else {
        const bool gemm = oq_node_is(p->node, "Gemm");
        in.channels.count = (size_t)w->dim[gemm && oq_node_int(p->node, "transB", 0) ? 1 : 0];
        in.channels.rank = p->out.rank; // 2, or that of a stack of matrices
        in.channels.axis = in.channels.rank - 1;
        if (gemm && oq_node_int(p->node, "transA", 0))
            in.channels.axis = 0;
        else
            look_through_flatten(p, in.channels.count, &in);
    }
    return in;
}

static bool is_even(const oq_affine *map) {
    double least = INFINITY, most = 0;
    for (size_t c = 0; c < map->count; c++) {
        least = fmin(least, fabs(map->scale[c]));
        most = fmax(most, fabs(map->scale[c]));
    }
    return most <= LARGEST_SPREAD * least;
}

// --- folding ---

// Input and output channel of weight `i`.
static void cell(const oq_product *p, const reading *in, size_t i, size_t *from, size_t *to) {
    const oq_shape *w = &p->weight.shape;
    const size_t second = (size_t)w->dim[1], inner = (size_t)oq_shape_range_count(w, 2, w->rank);
    const size_t row = i / inner / second, column = i / inner % second;
    if (oq_node_is(p->node, "Conv")) {
        *to = row, *from = row / (p->out.count / (in->channels.count / second)) * second + column;
    } else if (p->by_outer_group) {
        *from = row, *to = row / (in->channels.count / (p->out.count / second)) * second + column;
    } else {
        const bool turned = oq_node_is(p->node, "Gemm") && oq_node_int(p->node, "transB", 0);
        *from = (turned ? column : row) / in->repeat, *to = turned ? row : column;
    }
}

// Weights times the scale of their input channel; `add` [output channels] gets what the shift adds to each.
static oq_status scale_weights(const oq_product *p, const reading *in, const oq_affine *map, double *add,
                               oq_error *err) {
    oq_mem *mem = p->graph->model->mem;
    const oq_shape *w = &p->weight.shape;
    const size_t length = (size_t)oq_shape_range_count(w, 1, w->rank);
    oq_tensor scaled = {0};
    double *row = oq_mem_calloc(mem, length, sizeof *row, err);
    if (!row) return ONNXQ_NO_MEMORY;
    oq_status status;
    OQ_TRY_DONE(oq_tensor_new(mem, p->weight.dtype, w, &scaled, err));
    const size_t bytes = length * oq_dtype_bytes(scaled.dtype);
    for (size_t r = 0; r < (size_t)w->dim[0]; r++) {
        oq_load_f64(scaled.dtype, (const uint8_t *)p->weight.data + r * bytes, row, length);
        for (size_t k = 0; k < length; k++) {
            size_t from, to;
            cell(p, in, r * length + k, &from, &to);
            add[to] += row[k] * map->shift[from];
            row[k] *= map->scale[from];
        }
        oq_store_f64(scaled.dtype, row, (uint8_t *)scaled.data + r * bytes, length);
    }
    status = oq_swap_constant(p->graph, p->node, 1, scaled, err);
done:
    oq_mem_free(mem, row);
    return status;
}

static oq_status add_to_bias(const oq_product *p, oq_product_bias *b, const double *add, oq_error *err) {
    const double alpha = oq_node_is(p->node, "Gemm") ? (double)oq_node_float(p->node, "alpha", 1) : 1;
    for (size_t i = 0; i < b->rows * p->out.count; i++) b->values[i] += alpha * add[i % p->out.count];
    return oq_product_put_bias(p, b, err);
}

// MatMul has no bias: what the shift adds comes behind it, in an Add that is made.
static oq_status add_behind(const oq_product *p, const oq_node *norm, const double *add, oq_error *err) {
    oq_graph *graph = p->graph;
    const oq_shape shape = OQ_SHAPE((int64_t)p->out.count);
    const oq_value_id result = p->node->outputs[0];
    const char *name, *base = oq_graph_value(graph, result)->name;
    oq_tensor tensor = {0};
    oq_value_id product = OQ_NONE, shift = OQ_NONE;
    oq_node *node = NULL;
    OQ_TRY(oq_tensor_of_f64(graph, p->weight.dtype, &shape, add, &tensor, err));
    OQ_TRY(
        oq_graph_add_initializer(graph, oq_graph_value(graph, norm->inputs[1])->name, tensor, &shift, err));
    base = oq_arena_printf(&graph->model->arena, err, "%s_product", base);
    if (!base) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(graph, base, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, &product, err));
    oq_graph_value(graph, product)->type = oq_graph_value(graph, result)->type;
    OQ_TRY(oq_node_set_output(graph, p->node, 0, product, err));
    return oq_graph_add_node(graph, norm->name, "Add", "", (oq_value_id[]){product, shift}, 2, &result, 1,
                             &node, err);
}

static oq_status fold(const oq_product *p, const reading *in, oq_node *norm, const oq_affine *map,
                      bool *changed, oq_error *err) {
    oq_mem *mem = p->graph->model->mem;
    const bool matmul = oq_node_is(p->node, "MatMul"), shifts = oq_affine_shifts(map);
    oq_product_bias b = {.foldable = true};
    oq_node *user = in->flatten ? in->flatten : p->node;
    oq_status status;
    double *add = oq_mem_calloc(mem, p->out.count, sizeof *add, err);
    if (!add) return ONNXQ_NO_MEMORY;
    if (!matmul && shifts) OQ_TRY_DONE(oq_product_load_bias(p, &b, err));
    if (!b.foldable) status = ONNXQ_OK;
    if (!b.foldable) goto done;
    OQ_TRY_DONE(scale_weights(p, in, map, add, err));
    if (shifts && matmul) OQ_TRY_DONE(add_behind(p, norm, add, err));
    if (shifts && !matmul) OQ_TRY_DONE(add_to_bias(p, &b, add, err));
    OQ_TRY_DONE(oq_node_set_input(p->graph, user, 0, in->value, err));
    oq_graph_remove_node(p->graph, norm);
    *changed = true;
done:
    oq_mem_free(mem, b.values);
    oq_mem_free(mem, add);
    return status;
}

// The node whose result alone the product scales and shifts, or NULL; what that node reads goes into
// in->value.
static oq_node *find_norm(oq_graph *graph, const oq_product *p, reading *in) {
    const oq_node *user = in->flatten ? in->flatten : p->node;
    const oq_node_id id = oq_graph_value(graph, in->value)->producer;
    oq_node *norm = id == OQ_NONE ? NULL : oq_graph_node(graph, id);
    if (!norm || norm->region != OQ_NONE || norm->input_count < 2 || norm->inputs[0] == OQ_NONE ||
        norm->inputs[1] == OQ_NONE || oq_graph_only_consumer(graph, in->value) != user)
        return NULL;
    const bool first = !oq_node_is(norm, "BatchNormalization") && oq_graph_constant(graph, norm->inputs[0]);
    in->value = norm->inputs[first ? 1 : 0];
    return has_type(graph, in->value, &in->channels) ? norm : NULL;
}

// --- a shift that cannot be folded, in front of which a scale can ---

static bool is_number(oq_graph *graph, oq_value_id value, double *number) {
    const oq_constant *constant = value == OQ_NONE ? NULL : oq_graph_constant(graph, value);
    oq_tensor tensor = {0};
    if (!constant || constant->dtype != ONNXQ_FLOAT || oq_shape_count(&constant->shape) != 1 ||
        oq_constant_load(graph->model->mem, constant, &tensor, NULL) != ONNXQ_OK)
        return false;
    *number = oq_tensor_get_f64(&tensor, 0);
    oq_tensor_release(&tensor);
    return isfinite(*number);
}

// Which input of an operation by one number is not the number; false when it is no such operation.
static bool read_by_number(oq_graph *graph, const oq_node *node, const char *op_type, size_t *data,
                           double *number) {
    if (!oq_node_is(node, op_type) || node->region != OQ_NONE || node->input_count != 2) return false;
    *data = is_number(graph, node->inputs[0], number) ? 1 : 0;
    return is_number(graph, node->inputs[1 - *data], number) && node->inputs[*data] != OQ_NONE;
}

// a x + b = a (x + b / a): the scale comes next to the product, which takes it in.
static oq_status swap_with_scale(oq_graph *graph, oq_node *add, bool *changed, oq_error *err) {
    size_t x, m;
    double a, b;
    oq_tensor tensor = {0};
    oq_value_id shifted, shift;
    const oq_shape scalar = {.rank = 0};
    if (!read_by_number(graph, add, "Add", &m, &b)) return ONNXQ_OK;
    const oq_node_id id = oq_graph_value(graph, add->inputs[m])->producer;
    oq_node *mul = id == OQ_NONE ? NULL : oq_graph_node(graph, id);
    if (!mul || !read_by_number(graph, mul, "Mul", &x, &a) || a == 0 || !isfinite(b / a) ||
        oq_graph_only_consumer(graph, add->inputs[m]) != add)
        return ONNXQ_OK;
    const oq_value_id result = add->outputs[0], in = mul->inputs[x];
    const char *name =
        oq_arena_printf(&graph->model->arena, err, "%s_shifted", oq_graph_value(graph, result)->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, &shifted, err));
    oq_graph_value(graph, shifted)->type = oq_graph_value(graph, result)->type;
    b /= a;
    OQ_TRY(oq_tensor_of_f64(graph, ONNXQ_FLOAT, &scalar, &b, &tensor, err));
    OQ_TRY(oq_graph_add_initializer(graph, oq_graph_value(graph, add->inputs[1 - m])->name, tensor, &shift,
                                    err));
    OQ_TRY(oq_node_set_input(graph, add, m, in, err));
    OQ_TRY(oq_node_set_input(graph, add, 1 - m, shift, err));
    OQ_TRY(oq_node_set_output(graph, add, 0, shifted, err));
    OQ_TRY(oq_node_set_input(graph, mul, x, shifted, err));
    OQ_TRY(oq_node_set_output(graph, mul, 0, result, err));
    *changed = true;
    return ONNXQ_OK;
}

static oq_status fold_before(oq_graph *graph, oq_node *node, bool *changed, oq_error *err) {
    oq_product p;
    oq_affine map = {0};
    bool found = false;
    if (node->input_count < 2 || node->inputs[0] == OQ_NONE || node->region != OQ_NONE) return ONNXQ_OK;
    OQ_TRY(oq_product_load(graph, node, &p, &found, err));
    if (!found) return ONNXQ_OK;
    oq_status status = ONNXQ_OK;
    reading in = read_input(&p);
    oq_node *norm = in.channels.count && in.channels.rank ? find_norm(graph, &p, &in) : NULL;
    // An Add in front of a MatMul would only become one behind it.
    const bool worth = norm && (oq_node_is(norm, "BatchNormalization") || !oq_node_is(node, "MatMul"));
    if (!norm) goto done;
    OQ_TRY_DONE(oq_affine_read(graph, norm, in.value, &in.channels, &map, &found, err));
    if (!found || !is_even(&map)) goto done;
    if (oq_affine_shifts(&map) && !(worth && takes_shift(&p)))
        status = swap_with_scale(graph, norm, changed, err);
    else
        status = fold(&p, &in, norm, &map, changed, err);
done:
    oq_affine_release(&map);
    oq_tensor_release(&p.weight);
    return status;
}

oq_status oq_pass_fold_batch_norm_before(oq_graph *graph, oq_error *err) {
    bool any = false;
    for (size_t i = 0; i < graph->node_count; i++) {
        bool changed = true;
        while (changed && !graph->nodes[i]->dead && oq_is_product(graph->nodes[i])) {
            changed = false;
            OQ_TRY(fold_before(graph, graph->nodes[i], &changed, err));
            any = any || changed;
        }
    }
    return any ? oq_graph_sweep(graph, false, err) : ONNXQ_OK;
}
