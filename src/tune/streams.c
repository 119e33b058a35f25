// A layer's activation in both streams.
#include "tune/streams.h"

bool oq_streams_find(const oq_lockstep *l, const oq_lockstep_part *part, size_t *input) {
    const oq_layer *layer = oq_plan_layer(l->plan, (size_t)part->layer);
    const oq_value_id value = layer->operand[layer->operand[0].weight ? 1 : 0].value;
    *input = 0;
    while (*input < part->input_count && part->inputs[*input] != value) ++*input;
    if (*input == part->input_count) return false;
    const oq_value *x = oq_lockstep_at(l, 0, OQ_STREAM_FLOAT, value);
    return x->kind == OQ_VALUE_TENSOR && x->tensor.dtype == ONNXQ_FLOAT;
}

oq_status oq_streams_open(const oq_lockstep *l, const oq_lockstep_part *part, size_t input, size_t sample,
                          oq_streams *out, oq_error *err) {
    for (int stream = 0; stream < OQ_STREAMS; stream++) {
        oq_patches_source *from = &out->from[stream];
        bool bytes;
        OQ_TRY(
            oq_lockstep_peek(l, part, input, sample, stream, &out->value[stream], out->table, &bytes, err));
        from->data = out->value[stream].tensor.data;
        if (!bytes) continue;
        const oq_tensor_plan *plan = oq_plan_tensor(l->plan, part->inputs[input]);
        from->table = out->table;
        from->param = plan->params[0];
        from->is_signed = oq_dtype_info(plan->carrier)->min < 0;
    }
    return oq_patches_of(l->graph, oq_plan_layer(l->plan, (size_t)part->layer),
                         &out->value[OQ_STREAM_FLOAT].tensor.shape, &out->patches, err);
}

void oq_streams_close(oq_streams *streams) {
    for (int stream = 0; stream < OQ_STREAMS; stream++) oq_value_release(&streams->value[stream]);
}
