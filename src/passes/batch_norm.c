// Folding of per-channel scale and shift (BatchNormalization, Mul, Add, Sub, Div by constants) into the
// product before it, and of BatchNormalization into the convolution behind it.
#include "passes/passes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LARGEST_BIAS ((int64_t)1 << 24) // elements of a matrix that is added by a Gemm

// out = scale[c] * in + shift[c] over `count` channels, in double: each folded weight is rounded once.
typedef struct affine {
    oq_mem *mem;
    size_t count;
    double *scale, *shift; // [count], one block
} affine;

// A product with constant weights.
typedef struct product {
    oq_graph *graph;
    oq_node *node;
    oq_tensor weight;
    oq_shape blocks;     // weight seen as [outer, groups, channels per group, inner]: output channels are the
                         // middle two
    bool by_outer_group; // ConvTranspose: the group follows from the outer index
    size_t channels;     // of the output
    int channel_axis;    // of the output
    int rank;            // of the output, 0 = not known
} product;

static oq_status affine_new(oq_mem *mem, size_t count, affine *out, oq_error *err) {
    *out = (affine){.mem = mem, .count = count};
    out->scale = oq_mem_calloc(mem, count * 2, sizeof(double), err);
    if (!out->scale) return ONNXQ_NO_MEMORY;
    out->shift = out->scale + count;
    return ONNXQ_OK;
}

static void affine_release(affine *map) {
    oq_mem_free(map->mem, map->scale);
    *map = (affine){0};
}

static bool affine_is_finite(const affine *map) {
    for (size_t i = 0; i < map->count; i++)
        if (!isfinite(map->scale[i]) || !isfinite(map->shift[i])) return false;
    return true;
}

static bool affine_shifts(const affine *map) {
    for (size_t i = 0; i < map->count; i++)
        if (map->shift[i] != 0) return true;
    return false;
}

static bool is_plain_float(oq_dtype dtype) {
    return dtype == ONNXQ_FLOAT || dtype == ONNXQ_DOUBLE || dtype == ONNXQ_FLOAT16 || dtype == ONNXQ_BFLOAT16;
}

// --- constants ---

// A constant float input of a node; *found says whether there is one.
static oq_status load_input(oq_graph *graph, const oq_node *node, size_t index, oq_tensor *out, bool *found,
                            oq_error *err) {
    *out = (oq_tensor){0};
    *found = false;
    if (index >= node->input_count || node->inputs[index] == OQ_NONE) return ONNXQ_OK;
    const oq_constant *constant = oq_graph_constant(graph, node->inputs[index]);
    if (!constant || !is_plain_float(constant->dtype)) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(graph->model->mem, constant, out, err));
    *found = true;
    return ONNXQ_OK;
}

// A constant that is a scalar, or one number per channel along `axis` of a value of `rank` (0: not known),
// into `into`. False when it is anything else.
static bool take_per_channel(const oq_tensor *tensor, const product *p, double *into) {
    const int64_t count = oq_tensor_count(tensor);
    const int rank = tensor->shape.rank;
    if (rank > 1 && (!p->rank || rank > p->rank)) return false; // it would change the shape
    if (count == 1) {
        oq_load_f64(tensor->dtype, tensor->data, into, 1);
        for (size_t i = 1; i < p->channels; i++) into[i] = into[0];
        return true;
    }
    const int from_end = p->rank ? p->rank - p->channel_axis : 1; // channels are the last axis where unknown
    if (count != (int64_t)p->channels || rank < from_end || tensor->shape.dim[rank - from_end] != count)
        return false;
    oq_load_f64(tensor->dtype, tensor->data, into, (size_t)count);
    return true;
}

// Gives input `index` of a node to a new constant, under the old one's name when nobody else uses that.
static oq_status swap_constant(oq_graph *graph, oq_node *node, size_t index, oq_tensor tensor,
                               oq_error *err) {
    const oq_value_id old = node->inputs[index];
    const char *name = oq_graph_value(graph, old)->name;
    oq_value_id id = OQ_NONE;
    OQ_TRY(oq_graph_add_initializer(graph, name, tensor, &id, err));
    OQ_TRY(oq_node_set_input(graph, node, index, id, err));
    const oq_gvalue *value = oq_graph_value(graph, old);
    if (!value->initializer || value->use_count || value->is_input || value->is_output) return ONNXQ_OK;
    oq_graph_remove_initializer(graph, old);
    return oq_graph_rename(graph, id, name, err);
}

static oq_status tensor_of(oq_graph *graph, oq_dtype dtype, const oq_shape *shape, const double *values,
                           oq_tensor *out, oq_error *err) {
    OQ_TRY(oq_tensor_new(graph->model->mem, dtype, shape, out, err));
    oq_store_f64(dtype, values, out->data, (size_t)oq_tensor_count(out));
    return ONNXQ_OK;
}

// --- the product ---

// Sees the weights as [outer, groups, channels per group, inner].
static bool describe(product *p) {
    const oq_shape *w = &p->weight.shape;
    const bool conv = oq_node_is(p->node, "Conv"), transposed = oq_node_is(p->node, "ConvTranspose");
    p->channel_axis = 1;
    if (conv || transposed) {
        const int64_t groups = oq_node_int(p->node, "group", 1);
        if (w->rank < 3 || groups < 1 || w->dim[0] % groups) return false;
        p->rank = w->rank;
        if (conv) {
            p->blocks = OQ_SHAPE(1, 1, w->dim[0], oq_shape_range_count(w, 1, w->rank));
            p->channels = (size_t)w->dim[0];
        } else {
            p->blocks = OQ_SHAPE(w->dim[0], groups, w->dim[1], oq_shape_range_count(w, 2, w->rank));
            p->channels = (size_t)(w->dim[1] * groups);
            p->by_outer_group = true;
        }
    } else {
        if (w->rank != 2) return false;
        const bool rows = oq_node_is(p->node, "Gemm") && oq_node_int(p->node, "transB", 0);
        const int64_t channels = w->dim[rows ? 0 : 1], depth = w->dim[rows ? 1 : 0];
        p->blocks = rows ? OQ_SHAPE(1, 1, channels, depth) : OQ_SHAPE(depth, 1, channels, 1);
        p->channels = (size_t)channels;
        p->rank = 2;
        if (oq_node_is(p->node, "MatMul")) {
            const oq_type *type = &oq_graph_value(p->graph, p->node->outputs[0])->type;
            p->rank = type->kind == OQ_TYPE_TENSOR && type->rank > 0 ? type->rank : 0;
            p->channel_axis = p->rank - 1;
        }
    }
    return p->channels > 0 && oq_tensor_count(&p->weight) > 0;
}

static bool is_product(const oq_node *node) {
    return oq_node_is(node, "Conv") || oq_node_is(node, "ConvTranspose") || oq_node_is(node, "Gemm") ||
           oq_node_is(node, "MatMul");
}

static oq_status load_product(oq_graph *graph, oq_node *node, product *p, bool *found, oq_error *err) {
    *p = (product){.graph = graph, .node = node};
    *found = false;
    if (node->output_count < 1 || node->outputs[0] == OQ_NONE) return ONNXQ_OK;
    OQ_TRY(load_input(graph, node, 1, &p->weight, found, err));
    if (*found && describe(p)) return ONNXQ_OK;
    oq_tensor_release(&p->weight);
    *found = false;
    return ONNXQ_OK;
}

// New weights, each multiplied by the scale of its output channel.
static oq_status scale_weight(const product *p, const affine *map, oq_error *err) {
    oq_mem *mem = p->graph->model->mem;
    const size_t inner = (size_t)p->blocks.dim[3], per_group = (size_t)p->blocks.dim[2];
    const size_t groups = (size_t)p->blocks.dim[1], outer = (size_t)p->blocks.dim[0];
    oq_tensor scaled = {0};
    double *row = oq_mem_calloc(mem, inner, sizeof *row, err);
    if (!row) return ONNXQ_NO_MEMORY;
    oq_status status;
    OQ_TRY_DONE(oq_tensor_new(mem, p->weight.dtype, &p->weight.shape, &scaled, err));
    const size_t bytes = inner * oq_dtype_bytes(scaled.dtype);
    for (size_t i = 0; i < outer * per_group; i++) {
        // Without groups the block is [outer, channel, inner]; with groups the outer index tells the group.
        const size_t group = p->by_outer_group ? i / per_group / (outer / groups) : 0;
        const double scale = map->scale[group * per_group + i % per_group];
        oq_load_f64(scaled.dtype, (const uint8_t *)p->weight.data + i * bytes, row, inner);
        for (size_t k = 0; k < inner; k++) row[k] *= scale;
        oq_store_f64(scaled.dtype, row, (uint8_t *)scaled.data + i * bytes, inner);
    }
    status = swap_constant(p->graph, p->node, 1, scaled, err);
done:
    oq_mem_free(mem, row);
    return status;
}

// --- the bias ---

// The bias as the product adds it: [rows, channels] values, rows 1 except for a Gemm whose C is a matrix.
typedef struct bias {
    bool foldable; // constant, or not there
    bool present;
    size_t rows;
    double *values; // block
    oq_shape shape;
} bias;

static bool bias_fits(const product *p, const oq_shape *shape) {
    if (shape->rank == 0) return true;
    const int64_t last = shape->dim[shape->rank - 1];
    const bool gemm = oq_node_is(p->node, "Gemm");
    if (shape->rank == 2 && shape->dim[0] > LARGEST_BIAS / (int64_t)p->channels) return false;
    return shape->rank <= (gemm ? 2 : 1) && (last == (int64_t)p->channels || (gemm && last == 1));
}

// beta * C of a Gemm, or B of a convolution, spread over the channels.
static oq_status load_bias(const product *p, bias *b, oq_error *err) {
    oq_mem *mem = p->graph->model->mem;
    *b = (bias){.foldable = true, .rows = 1, .shape = OQ_SHAPE((int64_t)p->channels)};
    b->present = p->node->input_count > 2 && p->node->inputs[2] != OQ_NONE;
    oq_tensor tensor = {0};
    oq_status status = ONNXQ_OK;
    if (b->present) {
        OQ_TRY(load_input(p->graph, p->node, 2, &tensor, &b->foldable, err));
        b->foldable = b->foldable && oq_tensor_count(&tensor) > 0 && bias_fits(p, &tensor.shape);
        if (!b->foldable) goto done;
        if (tensor.shape.rank == 2) {
            b->rows = (size_t)tensor.shape.dim[0];
            b->shape = OQ_SHAPE(tensor.shape.dim[0], (int64_t)p->channels);
        }
    }
    b->values = oq_mem_calloc(mem, b->rows * p->channels, sizeof(double), err);
    if (!b->values) status = ONNXQ_NO_MEMORY;
    if (!b->values || !b->present) goto done;
    const size_t have = (size_t)oq_tensor_count(&tensor) / b->rows;
    const double beta = oq_node_is(p->node, "Gemm") ? (double)oq_node_float(p->node, "beta", 1.0f) : 1.0;
    const size_t bytes = oq_dtype_bytes(tensor.dtype);
    for (size_t r = 0; r < b->rows; r++) {
        double *row = b->values + r * p->channels;
        oq_load_f64(tensor.dtype, (const uint8_t *)tensor.data + r * have * bytes, row, have);
        for (size_t c = p->channels; c-- > 0;) row[c] = beta * row[have == 1 ? 0 : c];
    }
done:
    oq_tensor_release(&tensor);
    return status;
}

static oq_status put_bias(const product *p, const bias *b, oq_error *err) {
    oq_tensor tensor = {0};
    OQ_TRY(tensor_of(p->graph, p->weight.dtype, &b->shape, b->values, &tensor, err));
    oq_node_remove_attr(p->node, "beta"); // it is in the values now
    if (b->present) return swap_constant(p->graph, p->node, 2, tensor, err);
    char name[256];
    snprintf(name, sizeof name, "%s_bias", oq_graph_value(p->graph, p->node->outputs[0])->name);
    oq_value_id id = OQ_NONE;
    OQ_TRY(oq_graph_add_initializer(p->graph, name, tensor, &id, err));
    return oq_node_set_input(p->graph, p->node, 2, id, err);
}

// --- scale and shift ---

// BatchNormalization in inference, of `channels` channels.
static oq_status read_batch_norm(oq_graph *graph, const oq_node *node, size_t channels, affine *map,
                                 bool *found, oq_error *err) {
    oq_tensor parts[4] = {{0}}; // scale, B, mean, var
    *found = oq_node_int(node, "training_mode", 0) == 0 && oq_node_int(node, "spatial", 1) == 1;
    for (size_t i = 1; i < node->output_count; i++) *found = *found && node->outputs[i] == OQ_NONE;
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < 4 && *found && status == ONNXQ_OK; i++) {
        status = load_input(graph, node, i + 1, &parts[i], found, err);
        *found = *found && oq_tensor_count(&parts[i]) == (int64_t)channels;
    }
    double *values = NULL;
    if (status != ONNXQ_OK || !*found) goto done;
    OQ_TRY_DONE(affine_new(graph->model->mem, channels, map, err));
    values = oq_mem_calloc(graph->model->mem, channels * 2, sizeof *values, err);
    if (!values) status = ONNXQ_NO_MEMORY;
    if (!values) goto done;
    double *mean = values, *variance = values + channels;
    const double epsilon = (double)oq_node_float(node, "epsilon", 1e-5f);
    oq_load_f64(parts[0].dtype, parts[0].data, map->scale, channels);
    oq_load_f64(parts[1].dtype, parts[1].data, map->shift, channels);
    oq_load_f64(parts[2].dtype, parts[2].data, mean, channels);
    oq_load_f64(parts[3].dtype, parts[3].data, variance, channels);
    for (size_t c = 0; c < channels; c++) {
        map->scale[c] /= sqrt(variance[c] + epsilon);
        map->shift[c] -= mean[c] * map->scale[c];
    }
    *found = affine_is_finite(map);
done:
    for (size_t i = 0; i < 4; i++) oq_tensor_release(&parts[i]);
    oq_mem_free(graph->model->mem, values);
    return status;
}

// Mul, Add, Sub or Div of the product's output and a constant.
static oq_status read_arithmetic(const product *p, const oq_node *node, affine *map, bool *found,
                                 oq_error *err) {
    const bool mul = oq_node_is(node, "Mul"), add = oq_node_is(node, "Add"), sub = oq_node_is(node, "Sub"),
               div = oq_node_is(node, "Div");
    *found = false;
    if ((!mul && !add && !sub && !div) || node->input_count != 2) return ONNXQ_OK;
    const bool constant_first = node->inputs[1] == p->node->outputs[0];
    if (div && constant_first) return ONNXQ_OK; // k / y
    oq_tensor tensor = {0};
    OQ_TRY(load_input(p->graph, node, constant_first ? 0 : 1, &tensor, found, err));
    if (!*found) return ONNXQ_OK;
    oq_status status;
    OQ_TRY_DONE(affine_new(p->graph->model->mem, p->channels, map, err));
    double *constant = mul || div ? map->scale : map->shift, *other = mul || div ? map->shift : map->scale;
    *found = take_per_channel(&tensor, p, constant);
    for (size_t c = 0; c < map->count && *found; c++) {
        other[c] = mul || div ? 0 : 1;
        if (div) constant[c] = 1 / constant[c];
        if (sub && !constant_first) constant[c] = -constant[c];
        if (sub && constant_first) other[c] = -1;
    }
    *found = *found && affine_is_finite(map);
done:
    oq_tensor_release(&tensor);
    return status;
}

static oq_status read_affine(const product *p, const oq_node *node, affine *map, bool *found, oq_error *err) {
    if (!oq_node_is(node, "BatchNormalization")) return read_arithmetic(p, node, map, found, err);
    *found = p->channel_axis == 1 && p->rank > 1 && node->input_count == 5 &&
             node->inputs[0] == p->node->outputs[0];
    return *found ? read_batch_norm(p->graph, node, p->channels, map, found, err) : ONNXQ_OK;
}

// --- folding into the product before ---

// Lets the product give what `node` gave.
static oq_status take_over(const product *p, oq_node *node, oq_error *err) {
    const oq_value_id result = node->outputs[0];
    oq_graph_remove_node(p->graph, node);
    return oq_node_set_output(p->graph, p->node, 0, result, err);
}

static oq_status fold_behind(const product *p, oq_node *node, const affine *map, bool *changed,
                             oq_error *err) {
    bias b;
    OQ_TRY(load_bias(p, &b, err));
    oq_status status = ONNXQ_OK;
    if (!b.foldable) goto done;
    const bool shifts = affine_shifts(map);
    for (size_t i = 0; i < b.rows * p->channels; i++) {
        const size_t c = i % p->channels;
        b.values[i] = b.values[i] * map->scale[c] + map->shift[c];
    }
    OQ_TRY_DONE(scale_weight(p, map, err));
    if (b.present || shifts) OQ_TRY_DONE(put_bias(p, &b, err));
    OQ_TRY_DONE(take_over(p, node, err));
    *changed = true;
done:
    oq_mem_free(p->graph->model->mem, b.values);
    return status;
}

// MatMul has no bias: a scale goes into the weights, a shift stays as an Add. A lone Add is left as it is.
static oq_status fold_behind_matmul(const product *p, oq_node *node, const affine *map, bool *changed,
                                    oq_error *err) {
    const bool batch_norm = oq_node_is(node, "BatchNormalization");
    if (!batch_norm && affine_shifts(map)) return ONNXQ_OK;
    oq_graph *graph = p->graph;
    OQ_TRY(scale_weight(p, map, err));
    *changed = true;
    if (!affine_shifts(map)) return take_over(p, node, err);
    oq_value_id shift = OQ_NONE, result = node->outputs[0];
    const oq_shape shape = OQ_SHAPE((int64_t)p->channels);
    oq_tensor tensor = {0};
    OQ_TRY(tensor_of(graph, p->weight.dtype, &shape, map->shift, &tensor, err));
    OQ_TRY(
        oq_graph_add_initializer(graph, oq_graph_value(graph, node->inputs[2])->name, tensor, &shift, err));
    const oq_value_id inputs[] = {p->node->outputs[0], shift};
    oq_node *add = NULL;
    const char *name = node->name;
    oq_graph_remove_node(graph, node);
    return oq_graph_add_node(graph, name, "Add", "", inputs, 2, &result, 1, &add, err);
}

static oq_status fold_next(oq_graph *graph, oq_node *node, bool *changed, oq_error *err) {
    oq_node *next = node->output_count ? oq_graph_only_consumer(graph, node->outputs[0]) : NULL;
    product p;
    affine map = {0};
    bool found = false;
    if (!next || next->output_count < 1 || next->outputs[0] == OQ_NONE) return ONNXQ_OK;
    OQ_TRY(load_product(graph, node, &p, &found, err));
    if (!found) return ONNXQ_OK;
    oq_status status;
    OQ_TRY_DONE(read_affine(&p, next, &map, &found, err));
    if (found && oq_node_is(node, "MatMul"))
        status = fold_behind_matmul(&p, next, &map, changed, err);
    else if (found)
        status = fold_behind(&p, next, &map, changed, err);
done:
    affine_release(&map);
    oq_tensor_release(&p.weight);
    return status;
}

// --- folding into the convolution behind ---

// True when no input is made up at the borders (a shift would not reach it).
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

// Weights [M, C / groups, kernel] times the scale of their input channel, and what the shift adds to each
// output.
static oq_status fold_into_conv(const product *p, const affine *map, bias *b, oq_error *err) {
    oq_mem *mem = p->graph->model->mem;
    const oq_shape *w = &p->weight.shape;
    const size_t depth = (size_t)w->dim[1], kernel = (size_t)oq_shape_range_count(w, 2, w->rank);
    const size_t per_group = p->channels / (map->count / depth);
    oq_tensor scaled = {0};
    double *row = oq_mem_calloc(mem, kernel, sizeof *row, err);
    if (!row) return ONNXQ_NO_MEMORY;
    oq_status status;
    OQ_TRY_DONE(oq_tensor_new(mem, p->weight.dtype, w, &scaled, err));
    const size_t bytes = kernel * oq_dtype_bytes(scaled.dtype);
    for (size_t i = 0; i < p->channels * depth; i++) {
        const size_t m = i / depth, c = m / per_group * depth + i % depth;
        oq_load_f64(scaled.dtype, (const uint8_t *)p->weight.data + i * bytes, row, kernel);
        for (size_t k = 0; k < kernel; k++) {
            b->values[m] += row[k] * map->shift[c];
            row[k] *= map->scale[c];
        }
        oq_store_f64(scaled.dtype, row, (uint8_t *)scaled.data + i * bytes, kernel);
    }
    OQ_TRY_DONE(swap_constant(p->graph, p->node, 1, scaled, err));
    if (b->present || affine_shifts(map)) status = put_bias(p, b, err);
done:
    oq_mem_free(mem, row);
    return status;
}

// BatchNormalization `norm` whose only reader is the convolution `node`.
static oq_status fold_before(oq_graph *graph, oq_node *norm, oq_node *node, bool *changed, oq_error *err) {
    product p;
    affine map = {0};
    bias b = {0};
    bool found = false;
    OQ_TRY(load_product(graph, node, &p, &found, err));
    if (!found) return ONNXQ_OK;
    oq_status status;
    const int64_t groups = oq_node_int(node, "group", 1);
    const size_t inputs = (size_t)(p.weight.shape.dim[1] * groups);
    OQ_TRY_DONE(read_batch_norm(graph, norm, inputs, &map, &found, err));
    if (!found || inputs == 0 || (affine_shifts(&map) && !has_no_padding(node))) goto done;
    OQ_TRY_DONE(load_bias(&p, &b, err));
    if (!b.foldable) goto done;
    OQ_TRY_DONE(fold_into_conv(&p, &map, &b, err));
    OQ_TRY_DONE(oq_node_set_input(graph, node, 0, norm->inputs[0], err));
    oq_graph_remove_node(graph, norm);
    *changed = true;
done:
    oq_mem_free(graph->model->mem, b.values);
    affine_release(&map);
    oq_tensor_release(&p.weight);
    return status;
}

static oq_status fold_norms_before(oq_graph *graph, bool *changed, oq_error *err) {
    for (size_t i = 0; i < graph->node_count; i++) {
        oq_node *norm = graph->nodes[i];
        if (norm->dead || !oq_node_is(norm, "BatchNormalization") || !norm->output_count ||
            norm->input_count != 5)
            continue;
        oq_node *next = oq_graph_only_consumer(graph, norm->outputs[0]);
        if (next && oq_node_is(next, "Conv") && next->input_count > 1 && next->inputs[0] == norm->outputs[0])
            OQ_TRY(fold_before(graph, norm, next, changed, err));
    }
    return ONNXQ_OK;
}

oq_status oq_pass_fold_batch_norm(oq_graph *graph, oq_error *err) {
    bool any = false;
    for (size_t i = 0; i < graph->node_count; i++) {
        bool changed = true;
        while (changed && !graph->nodes[i]->dead && is_product(graph->nodes[i])) {
            changed = false;
            OQ_TRY(fold_next(graph, graph->nodes[i], &changed, err));
            any = any || changed;
        }
    }
    OQ_TRY(fold_norms_before(graph, &any, err));
    return any ? oq_graph_sweep(graph, false, err) : ONNXQ_OK;
}
