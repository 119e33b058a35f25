// Scale and shift per channel (BatchNormalization, Mul, Add, Sub, Div by constants), and products with
// constant weights that take them in.
#include "passes/affine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LARGEST_BIAS ((int64_t)1 << 24) // elements of a matrix that is added by a Gemm

oq_status oq_affine_new(oq_mem *mem, size_t count, oq_affine *out, oq_error *err) {
    *out = (oq_affine){.mem = mem, .count = count};
    out->scale = oq_mem_calloc(mem, count * 2, sizeof(double), err);
    if (!out->scale) return ONNXQ_NO_MEMORY;
    out->shift = out->scale + count;
    return ONNXQ_OK;
}

void oq_affine_release(oq_affine *map) {
    oq_mem_free(map->mem, map->scale);
    *map = (oq_affine){0};
}

static bool affine_is_finite(const oq_affine *map) {
    for (size_t i = 0; i < map->count; i++)
        if (!isfinite(map->scale[i]) || !isfinite(map->shift[i])) return false;
    return true;
}

bool oq_affine_shifts(const oq_affine *map) {
    for (size_t i = 0; i < map->count; i++)
        if (map->shift[i] != 0) return true;
    return false;
}

static bool is_plain_float(oq_dtype dtype) {
    return dtype == ONNXQ_FLOAT || dtype == ONNXQ_DOUBLE || dtype == ONNXQ_FLOAT16 || dtype == ONNXQ_BFLOAT16;
}

// --- constants ---

oq_status oq_load_float_input(oq_graph *graph, const oq_node *node, size_t index, oq_tensor *out, bool *found,
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

// A constant that is a scalar, or one number per channel, into `into`. False when it is anything else.
static bool take_per_channel(const oq_tensor *tensor, const oq_channels *at, double *into) {
    const int64_t count = oq_tensor_count(tensor);
    const int rank = tensor->shape.rank;
    if (rank > 1 && (!at->rank || rank > at->rank)) return false; // it would change the shape
    if (count == 1) {
        oq_load_f64(tensor->dtype, tensor->data, into, 1);
        for (size_t i = 1; i < at->count; i++) into[i] = into[0];
        return true;
    }
    const int from_end = at->rank ? at->rank - at->axis : 1;
    if (count != (int64_t)at->count || rank < from_end || tensor->shape.dim[rank - from_end] != count)
        return false;
    oq_load_f64(tensor->dtype, tensor->data, into, (size_t)count);
    return true;
}

oq_status oq_swap_constant(oq_graph *graph, oq_node *node, size_t index, oq_tensor tensor, oq_error *err) {
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

oq_status oq_tensor_of_f64(oq_graph *graph, oq_dtype dtype, const oq_shape *shape, const double *values,
                           oq_tensor *out, oq_error *err) {
    OQ_TRY(oq_tensor_new(graph->model->mem, dtype, shape, out, err));
    oq_store_f64(dtype, values, out->data, (size_t)oq_tensor_count(out));
    return ONNXQ_OK;
}

// --- the product ---

// Sees the weights as [outer, groups, channels per group, inner].
static bool describe(oq_product *p) {
    const oq_shape *w = &p->weight.shape;
    const bool conv = oq_node_is(p->node, "Conv"), transposed = oq_node_is(p->node, "ConvTranspose");
    p->out.axis = 1;
    if (conv || transposed) {
        const int64_t groups = oq_node_int(p->node, "group", 1);
        if (w->rank < 3 || groups < 1 || w->dim[0] % groups) return false;
        p->out.rank = w->rank;
        if (conv) {
            p->blocks = OQ_SHAPE(1, 1, w->dim[0], oq_shape_range_count(w, 1, w->rank));
            p->out.count = (size_t)w->dim[0];
        } else {
            p->blocks = OQ_SHAPE(w->dim[0], groups, w->dim[1], oq_shape_range_count(w, 2, w->rank));
            p->out.count = (size_t)(w->dim[1] * groups);
            p->by_outer_group = true;
        }
    } else {
        if (w->rank != 2) return false;
        const bool rows = oq_node_is(p->node, "Gemm") && oq_node_int(p->node, "transB", 0);
        const int64_t channels = w->dim[rows ? 0 : 1], depth = w->dim[rows ? 1 : 0];
        p->blocks = rows ? OQ_SHAPE(1, 1, channels, depth) : OQ_SHAPE(depth, 1, channels, 1);
        p->out.count = (size_t)channels;
        p->out.rank = 2;
        if (oq_node_is(p->node, "MatMul")) {
            const oq_type *type = &oq_graph_value(p->graph, p->node->outputs[0])->type;
            p->out.rank = type->kind == OQ_TYPE_TENSOR && type->rank > 0 ? type->rank : 0;
            p->out.axis = p->out.rank - 1;
        }
    }
    return p->out.count > 0 && oq_tensor_count(&p->weight) > 0;
}

bool oq_is_product(const oq_node *node) {
    return oq_node_is(node, "Conv") || oq_node_is(node, "ConvTranspose") || oq_node_is(node, "Gemm") ||
           oq_node_is(node, "MatMul");
}

oq_status oq_product_load(oq_graph *graph, oq_node *node, oq_product *p, bool *found, oq_error *err) {
    *p = (oq_product){.graph = graph, .node = node};
    *found = false;
    if (node->output_count < 1 || node->outputs[0] == OQ_NONE) return ONNXQ_OK;
    OQ_TRY(oq_load_float_input(graph, node, 1, &p->weight, found, err));
    if (*found && describe(p)) return ONNXQ_OK;
    oq_tensor_release(&p->weight);
    *found = false;
    return ONNXQ_OK;
}

// --- the bias ---

static bool bias_fits(const oq_product *p, const oq_shape *shape) {
    if (shape->rank == 0) return true;
    const int64_t last = shape->dim[shape->rank - 1];
    const bool gemm = oq_node_is(p->node, "Gemm");
    if (shape->rank == 2 && shape->dim[0] > LARGEST_BIAS / (int64_t)p->out.count) return false;
    return shape->rank <= (gemm ? 2 : 1) && (last == (int64_t)p->out.count || (gemm && last == 1));
}

oq_status oq_product_load_bias(const oq_product *p, oq_product_bias *b, oq_error *err) {
    oq_mem *mem = p->graph->model->mem;
    *b = (oq_product_bias){.foldable = true, .rows = 1, .shape = OQ_SHAPE((int64_t)p->out.count)};
    b->present = p->node->input_count > 2 && p->node->inputs[2] != OQ_NONE;
    oq_tensor tensor = {0};
    oq_status status = ONNXQ_OK;
    if (b->present) {
        OQ_TRY(oq_load_float_input(p->graph, p->node, 2, &tensor, &b->foldable, err));
        b->foldable = b->foldable && oq_tensor_count(&tensor) > 0 && bias_fits(p, &tensor.shape);
        if (!b->foldable) goto done;
        if (tensor.shape.rank == 2) {
            b->rows = (size_t)tensor.shape.dim[0];
            b->shape = OQ_SHAPE(tensor.shape.dim[0], (int64_t)p->out.count);
        }
    }
    b->values = oq_mem_calloc(mem, b->rows * p->out.count, sizeof(double), err);
    if (!b->values) status = ONNXQ_NO_MEMORY;
    if (!b->values || !b->present) goto done;
    const size_t have = (size_t)oq_tensor_count(&tensor) / b->rows;
    const double beta = oq_node_is(p->node, "Gemm") ? (double)oq_node_float(p->node, "beta", 1.0f) : 1.0;
    const size_t bytes = oq_dtype_bytes(tensor.dtype);
    for (size_t r = 0; r < b->rows; r++) {
        double *row = b->values + r * p->out.count;
        oq_load_f64(tensor.dtype, (const uint8_t *)tensor.data + r * have * bytes, row, have);
        for (size_t c = p->out.count; c-- > 0;) row[c] = beta * row[have == 1 ? 0 : c];
    }
done:
    oq_tensor_release(&tensor);
    return status;
}

oq_status oq_product_put_bias(const oq_product *p, const oq_product_bias *b, oq_error *err) {
    oq_tensor tensor = {0};
    OQ_TRY(oq_tensor_of_f64(p->graph, p->weight.dtype, &b->shape, b->values, &tensor, err));
    oq_node_remove_attr(p->node, "beta"); // it is in the values now
    if (b->present) return oq_swap_constant(p->graph, p->node, 2, tensor, err);
    char name[256];
    snprintf(name, sizeof name, "%s_bias", oq_graph_value(p->graph, p->node->outputs[0])->name);
    oq_value_id id = OQ_NONE;
    OQ_TRY(oq_graph_add_initializer(p->graph, name, tensor, &id, err));
    return oq_node_set_input(p->graph, p->node, 2, id, err);
}

// --- scale and shift ---

// BatchNormalization in inference, of `channels` channels.
static oq_status read_batch_norm(oq_graph *graph, const oq_node *node, size_t channels, oq_affine *map,
                                 bool *found, oq_error *err) {
    oq_tensor parts[4] = {{0}}; // scale, B, mean, var
    *found = oq_node_int(node, "training_mode", 0) == 0 && oq_node_int(node, "spatial", 1) == 1;
    for (size_t i = 1; i < node->output_count; i++) *found = *found && node->outputs[i] == OQ_NONE;
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < 4 && *found && status == ONNXQ_OK; i++) {
        status = oq_load_float_input(graph, node, i + 1, &parts[i], found, err);
        *found = *found && oq_tensor_count(&parts[i]) == (int64_t)channels;
    }
    double *values = NULL;
    if (status != ONNXQ_OK || !*found) goto done;
    OQ_TRY_DONE(oq_affine_new(graph->model->mem, channels, map, err));
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

// Mul, Add, Sub or Div of the value and a constant.
static oq_status read_arithmetic(oq_graph *graph, const oq_node *node, oq_value_id value,
                                 const oq_channels *channels, oq_affine *map, bool *found, oq_error *err) {
    const bool mul = oq_node_is(node, "Mul"), add = oq_node_is(node, "Add"), sub = oq_node_is(node, "Sub"),
               div = oq_node_is(node, "Div");
    *found = false;
    if ((!mul && !add && !sub && !div) || node->input_count != 2) return ONNXQ_OK;
    const bool constant_first = node->inputs[1] == value;
    if (div && constant_first) return ONNXQ_OK; // k / y
    oq_tensor tensor = {0};
    OQ_TRY(oq_load_float_input(graph, node, constant_first ? 0 : 1, &tensor, found, err));
    if (!*found) return ONNXQ_OK;
    oq_status status;
    OQ_TRY_DONE(oq_affine_new(graph->model->mem, channels->count, map, err));
    double *constant = mul || div ? map->scale : map->shift, *other = mul || div ? map->shift : map->scale;
    *found = take_per_channel(&tensor, channels, constant);
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

oq_status oq_affine_read(oq_graph *graph, const oq_node *node, oq_value_id value, const oq_channels *channels,
                         oq_affine *map, bool *found, oq_error *err) {
    if (!oq_node_is(node, "BatchNormalization"))
        return read_arithmetic(graph, node, value, channels, map, found, err);
    *found = channels->axis == 1 && channels->rank > 1 && node->input_count == 5 && node->inputs[0] == value;
    return *found ? read_batch_norm(graph, node, channels->count, map, found, err) : ONNXQ_OK;
}
