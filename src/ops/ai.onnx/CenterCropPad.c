// CenterCropPad: to given sizes, cutting or padding with zeros on both sides.
#include "ops/lib/axis_map.h"
#include "ops/lib/lists.h"
#include "ops/lib/schema.h"

static oq_status target(const oq_node *node, int rank, size_t count, int axes[OQ_MAX_RANK], oq_error *err) {
    size_t axis_count;
    const int64_t *given = oq_node_ints(node, "axes", &axis_count);
    if (!oq_node_attr(node, "axes")) axis_count = (size_t)rank;
    if (count != axis_count)
        return oq_fail(err, ONNXQ_BAD_MODEL, "CenterCropPad has %zu sizes for %zu axes", count, axis_count);
    for (int d = 0; d < rank; ++d) axes[d] = d;
    return given ? oq_axes_list("CenterCropPad", given, axis_count, rank, axes, err) : ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    const int64_t *sizes;
    size_t count;
    int axes[OQ_MAX_RANK] = {0};
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_list_input(context, 1, &sizes, &count, err));
    OQ_TRY(target(context->node, data->shape.rank, count, axes, err));
    oq_shape shape = data->shape;
    for (size_t k = 0; k < count; ++k) shape.dim[axes[k]] = sizes[k];
    OQ_TRY(oq_shape_check(&shape, sizeof(int64_t), NULL, err));
    oq_axis_maps maps;
    for (int d = 0; d < shape.rank; ++d) {
        int64_t *map = oq_scratch(context, (size_t)shape.dim[d] * sizeof *map, err);
        if (!map) return ONNXQ_NO_MEMORY;
        const int64_t from = data->shape.dim[d], to = shape.dim[d];
        // Half of what goes or comes lies before, rounded down.
        const int64_t shift = to < from ? (from - to) / 2 : -((to - from) / 2);
        for (int64_t i = 0; i < to; ++i) map[i] = i + shift >= 0 && i + shift < from ? i + shift : -1;
        maps.map[d] = map;
    }
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
    oq_move_mapped(&m, &maps, &data->shape, m.from[0], m.zero);
    return oq_mover_close(&m, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    size_t count;
    const oq_dim *sizes = oq_infer_elements(context, 1, &count);
    if (!in || in->rank < 0) return ONNXQ_OK;
    oq_type out = *in;
    int axes[OQ_MAX_RANK] = {0};
    if (sizes) OQ_TRY(target(context->node, in->rank, count, axes, err));
    for (size_t k = 0; sizes && k < count; ++k) out.dim[axes[k]] = oq_dim_as_size(sizes[k]);
    for (int d = 0; !sizes && d < in->rank; ++d) out.dim[d] = OQ_DIM_ANONYMOUS;
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 18,
     .signature = "input_data:T, shape:Tind -> output_data:T",
     .types = OQ_TYPES({"T", OQ_T_ALL13}, {"Tind", OQ_T_INDEX}),
     .attrs = OQ_ATTRS({"axes", OQ_ATTR_INTS, false}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(CenterCropPad, versions);
